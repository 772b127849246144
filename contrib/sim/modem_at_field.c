#include <stdint.h>

#include "../../server/base/str.h"
#include "modem_at.h"

bool
at_field(char **args, char *dst, size_t size)
{
	bool quoted = false;
	size_t n = 0;
	char *p = *args;

	dst[0] = '\0';
	if (p == NULL || *p == '\0')
		return false;
	for (; *p != '\0' && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if ((quoted || *p != ' ') && n + 1 < size)
			dst[n++] = *p;
	}
	dst[n] = '\0';
	*args = *p == ',' ? p + 1 : p;
	return true;
}

int
at_number(char **args, int64_t fallback, int64_t *out)
{
	char field[32];

	at_field(args, field, sizeof(field));
	if (field[0] == '\0') {
		*out = fallback;
		return 0;
	}
	return str_int(field, 0, INT32_MAX, out);
}
