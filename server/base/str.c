#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "str.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 },
	{ "ms", 1 }, { NULL, 0 },
};

static const struct unit sizes[] = {
	{ "gb", 1 << 30 }, { "mb", 1 << 20 }, { "kb", 1 << 10 }, { "b", 1 },
	{ NULL, 0 },
};

int
str_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	long long v;

	if (*s != '-' && (*s < '0' || *s > '9'))
		return -1;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

/* A number and a unit of the table; bare numbers count in bare. */
static int
with_unit(const char *s, const struct unit *units, int64_t bare, int64_t *out)
{
	char *end;
	long long v;

	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno != 0)
		return -1;
	if (*end != '\0') {
		while (units->name != NULL && strcasecmp(units->name, end) != 0)
			units++;
		bare = units->factor;
	}
	if (bare == 0 || v > INT64_MAX / bare)
		return -1;
	*out = v * bare;
	return 0;
}

static char *
unit_text(char dst[STR_NUM], const struct unit *units, int64_t v)
{
	while (units[1].name != NULL && (v == 0 || v % units->factor != 0))
		units++;
	snprintf(dst, STR_NUM, "%" PRId64 "%s", v / units->factor, units->name);
	return dst;
}

int
str_duration(const char *s, int64_t *ms)
{
	return with_unit(s, durations, 1000, ms);
}

char *
str_duration_text(char dst[STR_NUM], int64_t ms)
{
	return unit_text(dst, durations, ms);
}

int
str_size(const char *s, int64_t *bytes)
{
	return with_unit(s, sizes, 1, bytes);
}

char *
str_size_text(char dst[STR_NUM], int64_t bytes)
{
	return unit_text(dst, sizes, bytes);
}

char *
str_grouped(char dst[STR_GROUPED], uint64_t number)
{
	char digits[STR_NUM];
	size_t n, o = 0;

	n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			dst[o++] = ',';
		dst[o++] = digits[i];
	}
	dst[o] = '\0';
	return dst;
}

int
str_bool(const char *s, bool *out)
{
	static const char *const words[2][4] = {
		{ "no", "false", "off", "0" }, { "yes", "true", "on", "1" },
	};

	for (int v = 0; v < 2; v++) {
		for (int i = 0; i < 4; i++) {
			if (strcasecmp(s, words[v][i]) == 0) {
				*out = v == 1;
				return 0;
			}
		}
	}
	return -1;
}

int
str_utf8(const uint8_t *p, size_t n)
{
	static const struct {
		uint8_t lo, hi, len, min2, max2;
	} heads[] = {
		{ 0x00, 0x7f, 1, 0, 0 },
		{ 0xc2, 0xdf, 2, 0x80, 0xbf },
		{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
		{ 0xe1, 0xec, 3, 0x80, 0xbf },
		{ 0xed, 0xed, 3, 0x80, 0x9f },
		{ 0xee, 0xef, 3, 0x80, 0xbf },
		{ 0xf0, 0xf0, 4, 0x90, 0xbf },
		{ 0xf1, 0xf3, 4, 0x80, 0xbf },
		{ 0xf4, 0xf4, 4, 0x80, 0x8f },
	};
	size_t h, nheads = sizeof(heads) / sizeof(heads[0]);

	if (n == 0)
		return -1;
	for (h = 0; h < nheads; h++) {
		if (p[0] >= heads[h].lo && p[0] <= heads[h].hi)
			break;
	}
	if (h == nheads)
		return 0;
	for (size_t i = 1; i < heads[h].len; i++) {
		uint8_t lo = i == 1 ? heads[h].min2 : 0x80;
		uint8_t hi = i == 1 ? heads[h].max2 : 0xbf;

		if (i >= n)
			return -1;
		if (p[i] < lo || p[i] > hi)
			return 0;
	}
	return heads[h].len;
}

size_t
str_utf8_fit(const char *s, size_t max)
{
	size_t n = strnlen(s, max);

	while (n > 0 && ((uint8_t)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

char *
str_safe(char *dst, size_t size, const void *src, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = src;
	size_t o = 0;

	while (n > 0) {
		int len = str_utf8(p, n);

		if (len <= 0 || *p < 0x20 || *p == 0x7f || *p == '\\' ||
		    (len == 2 && p[0] == 0xc2 && p[1] < 0xa0)) {
			if (o + 5 > size)
				break;
			dst[o++] = '\\';
			dst[o++] = 'x';
			dst[o++] = hex[*p >> 4];
			dst[o++] = hex[*p & 15];
			len = 1;
		} else {
			if (o + (size_t)len + 1 > size)
				break;
			memcpy(dst + o, p, (size_t)len);
			o += (size_t)len;
		}
		p += len;
		n -= (size_t)len;
	}
	if (size > 0)
		dst[o] = '\0';
	return dst;
}

bool
str_is_name(const char *s)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = strlen(s);

	return n >= 1 && n <= 32 && strchr(first, s[0]) != NULL &&
	    strspn(s, rest) == n;
}

size_t
str_utf8_put(char dst[4], uint32_t c)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xc0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		dst[0] = (char)(0xe0 | c >> 12);
		dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | c >> 18);
	dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
