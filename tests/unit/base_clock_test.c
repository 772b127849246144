#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
test_mono(void **state)
{
	struct mono a = { 1000000 }, b = mono_after(a, 1500);
	struct mono before = mono_now(), after = mono_now();

	(void)state;
	assert_int_equal(mono_ms(a, b), 1500);
	assert_int_equal(mono_ms(b, a), -1500);
	assert_int_equal(mono_us(a, b), 1500000);
	assert_true(mono_us(before, after) >= 0);
	assert_int_equal(mono_after(a, -1000).us, 0);
}

static void
test_stamp_now(void **state)
{
	struct stamp a = stamp_now(), b = stamp_now();

	(void)state;
	assert_true(mono_us(a.mono, b.mono) >= 0);
	assert_true(a.utc_us > 1600000000000000);
}

static void
test_text(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 1, "1970-01-01T00:00:00.000001Z" },
		{ 999999, "1970-01-01T00:00:00.999999Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ -1000000, "1969-12-31T23:59:59.000000Z" },
		{ 951782400000000, "2000-02-29T00:00:00.000000Z" },
		{ 1795340463123456, "2026-11-22T09:41:03.123456Z" },
		{ 4102444799999999, "2099-12-31T23:59:59.999999Z" },
		{ 253402300799999999, "9999-12-31T23:59:59.999999Z" },
	};
	char text[STAMP_TEXT];
	int64_t us;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(stamp_text(text, cases[i].us),
		    cases[i].text);
		assert_int_equal(stamp_parse(text, strlen(text), &us), 0);
		assert_true(us == cases[i].us);
	}
}

/* No time there is makes it write beyond its end. */
static void
test_text_far(void **state)
{
	static const int64_t far[] = { INT64_MAX, INT64_MIN, 1LL << 60 };
	char text[STAMP_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(far); i++)
		assert_true(strlen(stamp_text(text, far[i])) < STAMP_TEXT);
}

static void
test_every_day(void **state)
{
	char text[STAMP_TEXT];
	int64_t us, got;

	(void)state;
	for (int day = -100000; day < 200000; day += 7) {
		us = day * 86400000000LL + 43200123456LL;
		stamp_text(text, us);
		assert_int_equal(stamp_parse(text, 27, &got), 0);
		assert_true(got == us);
	}
}

static void
test_parse_refused(void **state)
{
	static const char *const bad[] = {
		"", "2026-11-22", "2026-11-22T09:41:03.12345Z",
		"2026-11-22t09:41:03.123456Z", "2026-11-22 09:41:03.123456Z",
		"2026-11-22T09:41:03.123456z", "2026-13-22T09:41:03.123456Z",
		"2026-00-22T09:41:03.123456Z", "2026-11-00T09:41:03.123456Z",
		"2026-11-31T09:41:03.123456Z", "2026-02-29T09:41:03.123456Z",
		"2100-02-29T09:41:03.123456Z", "2026-02-30T00:00:00.000000Z",
		"2026-11-22T24:41:03.123456Z", "2026-11-22T09:60:03.123456Z",
		"2026-11-22T09:41:61.123456Z", "2026-11-22T09:41:03,123456Z",
		"-026-11-22T09:41:03.123456Z", "2026-11-22T09:41:03.12345xZ",
		"2026/11-22T09:41:03.123456Z", "2026-11-22T09-41:03.123456Z",
		"+026-11-22T09:41:03.123456Z", "2026-11-22T09:41:-3.123456Z",
	};
	int64_t us = 77;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(stamp_parse(bad[i], strlen(bad[i]), &us), -1);
		assert_int_equal(us, 77);
	}
	for (size_t n = 0; n < 27; n++)
		assert_int_equal(stamp_parse("2026-11-22T09:41:03.123456Z", n,
		    &us), -1);
}

static void
test_backoff(void **state)
{
	struct backoff b = { .min_ms = 200, .max_ms = 1500 };

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(backoff_next(&b), 200);
		assert_int_equal(backoff_next(&b), 400);
		assert_int_equal(backoff_next(&b), 800);
		assert_int_equal(backoff_next(&b), 1500);
		assert_int_equal(backoff_next(&b), 1500);
		backoff_reset(&b);
	}
}

static void
test_backoff_jitter(void **state)
{
	int64_t lo = INT64_MAX, hi = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct backoff b = { .min_ms = 1000, .max_ms = 8000,
		    .jitter = true };
		int64_t v = backoff_next(&b);

		lo = v < lo ? v : lo;
		hi = v > hi ? v : hi;
		assert_int_equal(b.now_ms, 2000);
	}
	assert_in_range(lo, 500, 520);
	assert_in_range(hi, 980, 1000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mono),
		cmocka_unit_test(test_stamp_now),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_far),
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_parse_refused),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_backoff_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
