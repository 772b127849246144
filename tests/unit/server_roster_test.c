#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/roster.h"

static const char two[] =
    "[{\"name\":\"gw\",\"description\":\"edge\\u001b[2J\",\"up\":true,"
    "\"line\":\"57600 8N1 none\",\"writer\":\"alice\","
    "\"last_output_time\":\"2020-01-02T03:04:05.000000Z\","
    "\"last_output\":\"login:\"},{\"name\":\"sw01\",\"up\":false,"
    "\"line\":\"9600 8N1 none\",\"last_output\":\"\"},{\"up\":true}]";

static void
reads_a_list(void **state)
{
	struct roster r;

	(void)state;
	assert_int_equal(roster_parse(&r, two, sizeof(two) - 1), 0);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.entries[0].name, "gw");
	/* Nothing that could move a cursor. */
	assert_string_equal(r.entries[0].description, "edge\\x1b[2J");
	assert_string_equal(r.entries[0].writer, "alice");
	assert_true(r.entries[0].up);
	assert_int_equal(r.entries[0].last_us, 1577934245000000);
	assert_int_equal(r.entries[1].last_us, -1);
	assert_string_equal(r.entries[1].writer, "");
	assert_ptr_equal(roster_find(&r, "sw01"), &r.entries[1]);
	assert_ptr_equal(roster_find(&r, "1"), &r.entries[0]);
	assert_ptr_equal(roster_find(&r, "2"), &r.entries[1]);
	assert_null(roster_find(&r, "0"));
	assert_null(roster_find(&r, "3"));
	assert_null(roster_find(&r, ""));
	assert_null(roster_find(&r, "-1"));
	roster_free(&r);
	assert_int_equal(r.n, 0);
}

static void
refuses_other_things(void **state)
{
	static const char *const bad[] = { "", "{}", "[", "null", "x" };
	struct roster r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(roster_parse(&r, bad[i], strlen(bad[i])), -1);
		assert_null(r.entries);
	}
	assert_int_equal(roster_parse(&r, "[1,\"x\",{}]", 10), 0);
	assert_int_equal(r.n, 0);
	roster_free(&r);
}

static void
shows_a_line(void **state)
{
	struct roster r;
	char *text;

	(void)state;
	assert_int_equal(roster_parse(&r, two, sizeof(two) - 1), 0);
	text = roster_text(&r, 0, 200, 1577934245000000 + 180 * 1000000ll);
	assert_string_equal(text, "gw    up   57600 8N1 none  pen alice  "
	    "3 min   edge\\x1b[2J | login:");
	free(text);
	text = roster_text(&r, 1, 0, 0);
	assert_string_equal(text, "sw01  DOWN 9600 8N1 none   pen free   "
	    "silent  ");
	free(text);
	/* It never wraps, however narrow the terminal says it is. */
	text = roster_text(&r, 0, 50, 0);
	assert_int_equal(strlen(text), 44);
	free(text);
	text = roster_text(&r, 0, 1, 0);
	assert_int_equal(strlen(text), 34);
	free(text);
	roster_free(&r);
}

static void
shows_one_line_s_state(void **state)
{
	static const char json[] = "{\"consoles\":[{\"name\":\"sw\"},{\"name\":"
	    "\"gw\",\"up\":false,\"line\":\"9600 7E1\",\"path\":\"/dev/x\","
	    "\"problem\":\"no such device\",\"received\":5000000000,"
	    "\"sent\":1,\"breaks\":2,\"framing_errors\":3,\"parity_errors\":4,"
	    "\"overruns\":5,\"journal\":{\"healthy\":false,\"problem\":"
	    "\"disk full\",\"file\":\"/j\"}}]}";
	char *text = roster_info(json, sizeof(json) - 1, "gw");

	(void)state;
	assert_string_equal(text, "gw: 9600 7E1, /dev/x, DOWN: no such "
	    "device\nreceived 5000000000, sent 1 bytes; breaks 2, framing "
	    "errors 3, parity errors 4, overruns 5\nNOT RECORDED NOW: disk "
	    "full\n");
	free(text);
	assert_null(roster_info(json, sizeof(json) - 1, "nn"));
	assert_null(roster_info("x", 1, "gw"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_list),
		cmocka_unit_test(refuses_other_things),
		cmocka_unit_test(shows_a_line),
		cmocka_unit_test(shows_one_line_s_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
