/*
 * asciicast: whatever comes in whatever pieces, each line is JSON whose time
 * does not go back, and no page can end in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "serial/cast.h"

#define MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char line[CAST_ROOM(MAX) + CAST_HEAD_ROOM(MAX)];

static void
check(const char *text, size_t n, double *last)
{
	json_t *a;
	double t;

	if (n == 0)
		return;
	if (text[n - 1] != '\n' || memchr(text, '<', n) != NULL)
		abort();
	a = json_loadb(text, n, JSON_ALLOW_NUL, NULL);
	if (a == NULL)
		abort();
	if (json_is_array(a)) {
		t = json_number_value(json_array_get(a, 0));
		if (json_array_size(a) != 3 || t < *last || t < 0 ||
		    !json_is_string(json_array_get(a, 2)))
			abort();
		*last = t;
	}
	json_decref(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cast_head h = { 80, 24, 0, "t" };
	struct cast c;
	double last = 0;
	int64_t us = 0;
	size_t part;

	if (n < 2 || n > MAX)
		return 0;
	check(line, cast_begin(&c, 2, &h, line), &last);
	for (size_t i = 1; i < n; i += part) {
		part = 1 + p[0] % 16;
		if (part > n - i)
			part = n - i;
		us += (int8_t)p[i] * 1000;
		check(line, cast_data(&c, us, p + i, part, line), &last);
		if (part == 3)
			check(line, cast_marker(&c, us, "<m>", line), &last);
	}
	check(line, cast_end(&c, us, line), &last);
	return 0;
}
