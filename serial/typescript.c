#include <stdio.h>
#include <string.h>

#include "../server/base/clock.h"
#include "typescript.h"

size_t
typescript_first_line(char dst[TYPESCRIPT_LINE], int64_t utc_us, unsigned columns,
    unsigned rows)
{
	char t[STAMP_TEXT];

	stamp_text(t, utc_us);
	return (size_t)snprintf(dst, TYPESCRIPT_LINE, "Script started on %.10s "
	    "%.8s+00:00 [COLUMNS=\"%u\" LINES=\"%u\"]\n", t, t + 11, columns,
	    rows);
}

size_t
typescript_begin(struct typescript *s, char *dst, int64_t utc_us, unsigned columns,
    unsigned rows)
{
	char t[STAMP_TEXT];

	s->last_us = 0;
	stamp_text(t, utc_us);
	return (size_t)snprintf(dst, 4 * TYPESCRIPT_LINE,
	    "H 0.000000 START_TIME %.10s %.8s+00:00\n"
	    "H 0.000000 COLUMNS %u\nH 0.000000 LINES %u\n", t, t + 11,
	    columns, rows);
}

size_t
typescript_timing(struct typescript *s, char dst[TYPESCRIPT_LINE], int64_t us, size_t n)
{
	int64_t delay = us > s->last_us ? us - s->last_us : 0;

	s->last_us += delay;
	return (size_t)snprintf(dst, TYPESCRIPT_LINE, "O %lld.%06lld %zu\n",
	    (long long)(delay / 1000000), (long long)(delay % 1000000), n);
}

/* Octal digits and NUL, size bytes. */
static void
put_octal(char *dst, size_t size, uint64_t v)
{
	dst[--size] = '\0';
	while (size > 0) {
		dst[--size] = (char)('0' + (v & 7));
		v >>= 3;
	}
}

void
tar_head(char dst[TAR_BLOCK], const char *name, uint64_t size, int64_t utc_us)
{
	unsigned sum = 0;

	memset(dst, 0, TAR_BLOCK);
	snprintf(dst, 100, "%s", name);
	put_octal(dst + 100, 8, 0644);
	put_octal(dst + 108, 8, 0);
	put_octal(dst + 116, 8, 0);
	put_octal(dst + 124, 12, size);
	put_octal(dst + 136, 12, utc_us < 0 ? 0 : (uint64_t)utc_us / 1000000);
	memset(dst + 148, ' ', 8);
	dst[156] = '0';
	memcpy(dst + 257, "ustar\00000", 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)dst[i];
	put_octal(dst + 148, 7, sum);
}
