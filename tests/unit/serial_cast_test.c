#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include <string.h>

#include "serial/cast.h"

static char line[CAST_ROOM(1000)];

static void
expect(size_t n, const char *want)
{
	line[n] = '\0';
	assert_string_equal(line, want);
}

static void
test_version_2(void **state)
{
	struct cast_head h = { 80, 24, 1795340463, "gw \"x\" </b>" };
	struct cast c;

	(void)state;
	expect(cast_begin(&c, 2, &h, line), "{\"version\":2,\"width\":80,"
	    "\"height\":24,\"timestamp\":1795340463,\"title\":"
	    "\"gw \\\"x\\\" \\u003c/b>\"}\n");
	expect(cast_data(&c, 0, "a\x1b[1mb\r\n", 8, line),
	    "[0.000000, \"o\", \"a\\u001b[1mb\\r\\n\"]\n");
	expect(cast_data(&c, 1500001, "\\\x7f", 2, line),
	    "[1.500001, \"o\", \"\\\\\\u007f\"]\n");
	/* Never back. */
	expect(cast_marker(&c, 1000000, "note", line),
	    "[1.500001, \"m\", \"note\"]\n");
	expect(cast_end(&c, 2000000, line), "");
}

static void
test_version_3(void **state)
{
	struct cast_head h = { 132, 50, 0, "t" };
	struct cast c;

	(void)state;
	expect(cast_begin(&c, 3, &h, line), "{\"version\":3,\"term\":{"
	    "\"cols\":132,\"rows\":50},\"timestamp\":0,\"title\":\"t\"}\n");
	/* Intervals, and rounding does not add up. */
	for (int i = 1; i <= 3; i++)
		cast_data(&c, i * 1400, "x", 1, line);
	expect(cast_data(&c, 4 * 1400, "x", 1, line),
	    "[0.002, \"o\", \"x\"]\n");
	assert_int_equal(c.last_ms, 6);
	expect(cast_data(&c, 61000000, "y", 1, line),
	    "[60.994, \"o\", \"y\"]\n");
}

static void
test_characters(void **state)
{
	struct cast_head h = { 80, 24, 0, "" };
	struct cast c;

	(void)state;
	cast_begin(&c, 2, &h, line);
	/* One that is cut off waits, and costs no time. */
	expect(cast_data(&c, 1000000, "\xe2\x82", 2, line), "");
	expect(cast_data(&c, 2000000, "\xac!", 2, line),
	    "[2.000000, \"o\", \"\xe2\x82\xac!\"]\n");
	expect(cast_data(&c, 2000000, "a\xc3", 2, line),
	    "[2.000000, \"o\", \"a\"]\n");
	expect(cast_data(&c, 2000000, "b\xff\xf0\x9f", 4, line),
	    "[2.000000, \"o\", \"\xef\xbf\xbd" "b\xef\xbf\xbd\"]\n");
	expect(cast_end(&c, 3000000, line),
	    "[3.000000, \"o\", \"\xef\xbf\xbd\"]\n");
	expect(cast_end(&c, 3000000, line), "");
}

/* Any bytes, in any pieces: JSON that holds the same text. */
static void
test_any_bytes(void **state)
{
	struct cast_head h = { 80, 24, 0, "" };
	char whole[4000], pieces[4000];
	uint8_t bytes[600];
	unsigned seed = 3;

	(void)state;
	for (int round = 0; round < 300; round++) {
		for (int way = 0; way < 2; way++) {
			char *text = way == 0 ? whole : pieces;
			size_t step = way == 0 ? sizeof(bytes) : 1 +
			    (size_t)rand_r(&seed) % 7;
			struct cast c;
			size_t n;

			*text = '\0';
			for (size_t i = 0; way == 0 && i < 600; i++)
				bytes[i] = (uint8_t)(1 + rand_r(&seed) % 255);
			cast_begin(&c, 2, &h, line);
			for (size_t at = 0; at <= 600; at += step) {
				if (at + step > 600)
					step = 600 - at;
				n = step == 0 ? cast_end(&c, 9, line) :
				    cast_data(&c, 9, bytes + at, step, line);
				if (n > 0) {
					json_t *a = json_loadb(line, n, 0,
					    NULL);

					assert_int_equal(json_array_size(a),
					    3);
					strcat(text, json_string_value(
					    json_array_get(a, 2)));
					json_decref(a);
				}
				if (step == 0)
					break;
			}
		}
		assert_string_equal(whole, pieces);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_version_3),
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
