#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "serial/line.h"

static void
test_default(void **state)
{
	char text[LINE_TEXT];
	struct line l;

	(void)state;
	line_default(&l);
	assert_string_equal(line_text(text, &l), "57600 8N1 none");
	assert_string_equal(line_mode_text(text, &l), "8N1");
	assert_string_equal(line_flow_text(&l), "none");
}

static void
test_speed(void **state)
{
	static const char *const bad[] = {
		"", "0", "-1", "9600bps", " 9600", "9600 ", "0x10", "1e6",
		"100000001", "99999999999999999999", "+9600",
	};
	struct line l;

	(void)state;
	line_default(&l);
	assert_int_equal(line_parse_speed(&l, "1"), 0);
	assert_int_equal(l.speed, 1);
	assert_int_equal(line_parse_speed(&l, "31250"), 0);
	assert_int_equal(l.speed, 31250);
	assert_int_equal(line_parse_speed(&l, "12000000"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(line_parse_speed(&l, bad[i]), -1);
		assert_int_equal(l.speed, 12000000);
	}
}

/* Every mode there is goes through text and back. */
static void
test_mode_all(void **state)
{
	(void)state;
	for (int d = '5'; d <= '8'; d++) {
		for (const char *p = "NOEnoe"; *p != '\0'; p++) {
			for (int s = '1'; s <= '2'; s++) {
				char in[4] = { (char)d, *p, (char)s, '\0' };
				char out[LINE_TEXT];
				struct line l;

				line_default(&l);
				assert_int_equal(line_parse_mode(&l, in), 0);
				line_mode_text(out, &l);
				in[1] = (char)(*p & ~0x20);
				assert_string_equal(out, in);
				assert_int_equal(l.data_bits, d - '0');
				assert_int_equal(l.stop_bits, s - '0');
			}
		}
	}
}

static void
test_mode_bad(void **state)
{
	static const char *const bad[] = {
		"", "8", "8N", "8N11", "9N1", "4N1", "8M1", "8N3", "8N0",
		"N81", "8 1", " 8N1", "8.1",
	};
	struct line l, before;

	(void)state;
	line_default(&l);
	before = l;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(line_parse_mode(&l, bad[i]), -1);
		assert_memory_equal(&l, &before, sizeof(l));
	}
}

static void
test_flow(void **state)
{
	char text[LINE_TEXT];
	struct line l;

	(void)state;
	line_default(&l);
	assert_int_equal(line_parse_flow(&l, "rtscts"), 0);
	assert_int_equal(l.flow, LINE_FLOW_RTSCTS);
	assert_int_equal(line_parse_flow(&l, "xonxoff"), 0);
	assert_string_equal(line_flow_text(&l), "xonxoff");
	assert_int_equal(line_parse_flow(&l, "hw"), -1);
	assert_int_equal(line_parse_flow(&l, ""), -1);
	assert_int_equal(line_parse_flow(&l, "None"), -1);
	assert_int_equal(l.flow, LINE_FLOW_XONXOFF);
	l.speed = 100000000;
	assert_string_equal(line_text(text, &l), "100000000 8N1 xonxoff");
}

static void
test_rate(void **state)
{
	struct line l;

	(void)state;
	line_default(&l);
	assert_int_equal(line_rate(&l), 5760);
	line_parse_mode(&l, "7E1");
	assert_int_equal(line_rate(&l), 5760);
	line_parse_mode(&l, "8E2");
	assert_int_equal(line_rate(&l), 4800);
	line_parse_mode(&l, "5N1");
	assert_int_equal(line_rate(&l), 57600 / 7);
	line_parse_speed(&l, "3");
	assert_int_equal(line_rate(&l), 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_mode_all),
		cmocka_unit_test(test_mode_bad),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
