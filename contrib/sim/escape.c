#include <string.h>

#include "escape.h"

/* Two hexadecimal digits, lower case, as a byte; -1 when they are not. */
static int
hex_byte(const char *p)
{
	static const char digits[] = "0123456789abcdef";
	int value = 0;

	for (int i = 0; i < 2; i++) {
		const char *at = p[i] == '\0' ? NULL : strchr(digits, p[i]);

		if (at == NULL)
			return -1;
		value = value * 16 + (int)(at - digits);
	}
	return value;
}

/*
 * The byte that the text after a backslash stands for; *used of its
 * characters.  -1 when it stands for none.
 */
static int
escaped(const char *p, size_t *used)
{
	static const char letters[] = "nrtabe\\";
	static const char values[] = "\n\r\t\a\b\033\\";
	const char *at = *p == '\0' ? NULL : strchr(letters, *p);

	*used = 1;
	if (at != NULL)
		return (unsigned char)values[at - letters];
	if (*p != 'x')
		return -1;
	*used = 3;
	return hex_byte(p + 1);
}

ssize_t
escape_bytes(char *dst, size_t size, const char *text)
{
	size_t n = 0, used;
	int c;

	while (*text != '\0' && n < size) {
		c = (unsigned char)*text++;
		if (c == '\\') {
			c = escaped(text, &used);
			if (c == -1)
				return -1;
			text += used;
		}
		dst[n++] = (char)c;
	}
	return (ssize_t)n;
}
