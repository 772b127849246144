#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "at_field.h"

#define INT_DIGITS 18		/* more than any modem's number has */

bool
at_field_start(struct at_field *f, const char *line, const char *prefix)
{
	size_t n = strlen(prefix);

	if (n > 0 && prefix[n - 1] == ':')
		n--;
	f->p = f->end = NULL;
	if (strncasecmp(line, prefix, n) != 0 || line[n] != ':')
		return false;
	line += n + 1;
	at_field_text(f, line, strlen(line));
	return true;
}

void
at_field_text(struct at_field *f, const char *p, size_t n)
{
	while (n > 0 && *p == ' ') {
		p++;
		n--;
	}
	f->p = n == 0 ? NULL : p;
	f->end = p + n;
}

bool
at_field_more(const struct at_field *f)
{
	return f->p != NULL;
}

static void
trim(const char **p, size_t *n)
{
	while (*n > 0 && **p == ' ') {
		(*p)++;
		(*n)--;
	}
	while (*n > 0 && (*p)[*n - 1] == ' ')
		(*n)--;
}

/*
 * The next field as it stands, without the blanks around.  protect: commas
 * inside quotes and parentheses are part of it.  False when there is none.
 */
static bool
cut(struct at_field *f, bool protect, const char **field, size_t *n)
{
	unsigned depth = 0;
	bool quoted = false;
	const char *p;

	if (f->p == NULL)
		return false;
	for (p = f->p; p < f->end; p++) {
		if (*p == ',' && !(protect && (quoted || depth > 0)))
			break;
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '(' && !quoted)
			depth++;
		else if (*p == ')' && !quoted && depth > 0)
			depth--;
	}
	/* What is opened and never closed protects nothing. */
	if (protect && p == f->end && (quoted || depth > 0))
		return cut(f, false, field, n);
	*field = f->p;
	*n = (size_t)(p - f->p);
	f->p = p == f->end ? NULL : p + 1;
	trim(field, n);
	return true;
}

static void
unquote(const char **p, size_t *n)
{
	if (*n > 0 && **p == '"') {
		(*p)++;
		(*n)--;
	}
	if (*n > 0 && (*p)[*n - 1] == '"')
		(*n)--;
}

int
at_field_int(struct at_field *f, int64_t *out)
{
	bool minus = false;
	int64_t value = 0;
	const char *p;
	size_t n;

	if (!cut(f, true, &p, &n))
		return -1;
	unquote(&p, &n);
	trim(&p, &n);
	if (n == 0)
		return 1;
	if (*p == '-' || *p == '+') {
		minus = *p == '-';
		p++;
		n--;
	}
	if (n == 0 || n > INT_DIGITS)
		return -1;
	for (; n > 0; p++, n--) {
		if (!isdigit((unsigned char)*p))
			return -1;
		value = value * 10 + (*p - '0');
	}
	*out = minus ? -value : value;
	return 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
at_field_hex(struct at_field *f, uint32_t *out)
{
	uint32_t value = 0;
	bool any = false;
	const char *p;
	size_t n;
	int d;

	if (!cut(f, false, &p, &n))
		return -1;
	for (; n > 0; p++, n--) {
		if (*p == ' ' || *p == '"')
			continue;
		d = hex_value(*p);
		if (d == -1 || value > UINT32_MAX >> 4)
			return -1;
		value = value << 4 | (uint32_t)d;
		any = true;
	}
	if (!any)
		return 1;
	*out = value;
	return 0;
}

int
at_field_str(struct at_field *f, char *dst, size_t size)
{
	const char *p;
	size_t n;

	if (!cut(f, true, &p, &n))
		return -1;
	unquote(&p, &n);
	if (n == 0)
		return 1;
	if (n >= size)
		return -1;
	memcpy(dst, p, n);
	dst[n] = '\0';
	return 0;
}

int
at_field_skip(struct at_field *f)
{
	const char *p;
	size_t n;

	if (!cut(f, true, &p, &n))
		return -1;
	return n == 0 ? 1 : 0;
}

int
at_field_list(struct at_field *f, struct at_field *list)
{
	const char *p;
	size_t n;

	if (!cut(f, true, &p, &n))
		return -1;
	if (n == 0)
		return 1;
	if (n < 2 || p[0] != '(' || p[n - 1] != ')')
		return -1;
	at_field_text(list, p + 1, n - 2);
	return 0;
}
