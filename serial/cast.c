#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../server/base/str.h"
#include "cast.h"

static const char replacement[] = "\xef\xbf\xbd";

static char *
put_ascii(char *o, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";

	if (c == '"' || c == '\\') {
		*o++ = '\\';
		*o++ = (char)c;
	} else if (c == '\r' || c == '\n') {
		*o++ = '\\';
		*o++ = c == '\r' ? 'r' : 'n';
	} else if (c < 0x20 || c == 0x7f || c == '<') {
		memcpy(o, "\\u00", 4);
		o[4] = hex[c >> 4];
		o[5] = hex[c & 15];
		o += 6;
	} else {
		*o++ = (char)c;
	}
	return o;
}

/*
 * The inside of a JSON string.  *kept: how many bytes at the end are the
 * beginning of a character.
 */
static char *
put_text(char *o, const uint8_t *p, size_t n, size_t *kept)
{
	*kept = 0;
	for (size_t i = 0; i < n;) {
		int len = p[i] < 0x80 ? 1 : str_utf8(p + i, n - i);

		if (len == -1) {
			*kept = n - i;
			return o;
		}
		if (len == 0) {
			memcpy(o, replacement, 3);
			o += 3;
			i++;
			continue;
		}
		if (len == 1) {
			o = put_ascii(o, p[i]);
		} else {
			memcpy(o, p + i, (size_t)len);
			o += len;
		}
		i += (size_t)len;
	}
	return o;
}

static char *
put_string(char *o, const char *s)
{
	size_t kept;

	*o++ = '"';
	o = put_text(o, (const uint8_t *)s, strlen(s), &kept);
	*o++ = '"';
	return o;
}

size_t
cast_begin(struct cast *c, int version, const struct cast_head *h, char *dst)
{
	char *o = dst;

	memset(c, 0, sizeof(*c));
	c->version = version;
	if (version == 2)
		o += sprintf(o, "{\"version\":2,\"width\":%u,\"height\":%u,",
		    h->columns, h->rows);
	else
		o += sprintf(o, "{\"version\":3,\"term\":{\"cols\":%u,"
		    "\"rows\":%u},", h->columns, h->rows);
	o += sprintf(o, "\"timestamp\":%lld,\"title\":", (long long)h->utc_s);
	o = put_string(o, h->title);
	o += sprintf(o, "}\n");
	return (size_t)(o - dst);
}

/* "[TIME,"CODE",": up to where the string begins. */
static char *
put_start(struct cast *c, int64_t us, char code, char *o)
{
	int64_t ms;

	if (us < c->last_us)
		us = c->last_us;
	c->last_us = us;
	if (c->version == 2)
		return o + sprintf(o, "[%lld.%06lld, \"%c\", ",
		    (long long)(us / 1000000), (long long)(us % 1000000),
		    code);
	/* What rounding takes from one it gives to the next. */
	ms = (us + 500) / 1000;
	o += sprintf(o, "[%lld.%03lld, \"%c\", ",
	    (long long)((ms - c->last_ms) / 1000),
	    (long long)((ms - c->last_ms) % 1000), code);
	c->last_ms = ms;
	return o;
}

size_t
cast_data(struct cast *c, int64_t us, const void *data, size_t n, char *dst)
{
	struct cast before = *c;
	const uint8_t *p = data;
	size_t kept;
	char *o = put_start(c, us, 'o', dst), *text;

	*o++ = '"';
	text = o;
	/* One character may begin in the last piece. */
	while (n > 0 && c->nheld > 0) {
		c->held[c->nheld++] = *p++;
		n--;
		o = put_text(o, c->held, c->nheld, &kept);
		memmove(c->held, c->held + c->nheld - kept, kept);
		c->nheld = kept;
	}
	o = put_text(o, p, n, &kept);
	if (kept > 0) {
		memcpy(c->held, p + n - kept, kept);
		c->nheld = kept;
	}
	if (o == text) {
		c->last_us = before.last_us;
		c->last_ms = before.last_ms;
		return 0;
	}
	memcpy(o, "\"]\n", 3);
	return (size_t)(o + 3 - dst);
}

size_t
cast_marker(struct cast *c, int64_t us, const char *label, char *dst)
{
	char *o = put_string(put_start(c, us, 'm', dst), label);

	memcpy(o, "]\n", 2);
	return (size_t)(o + 2 - dst);
}

size_t
cast_end(struct cast *c, int64_t us, char *dst)
{
	char *o = dst;

	if (c->nheld == 0)
		return 0;
	c->nheld = 0;
	o = put_string(put_start(c, us, 'o', dst), replacement);
	memcpy(o, "]\n", 2);
	return (size_t)(o + 2 - dst);
}
