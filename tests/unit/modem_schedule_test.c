#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "modem/schedule.h"

#define HOUR 3600
#define DAY (24 * HOUR)
/* 2026-11-22 00:00:00 UTC, a Sunday. */
#define SUNDAY INT64_C(1795305600)

static const struct schedule weekly = { 0, 3 * 60 };	/* sun 03:00 */
static const struct schedule daily = { -1, 3 * 60 };

static void
zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

static int
due(const struct schedule *s, int64_t utc, int last)
{
	return schedule_due(s, &(struct schedule_now){ utc, false }, last);
}

static int64_t
next(const struct schedule *s, int64_t utc, int last)
{
	return schedule_next(s, &(struct schedule_now){ utc, false }, last);
}

static void
test_weekly(void **state)
{
	int64_t at = SUNDAY + 3 * HOUR;

	(void)state;
	zone("UTC");
	assert_int_equal(due(&weekly, at - 1, 0), 0);
	assert_int_equal(due(&weekly, at, 0), 20261122);
	assert_int_equal(due(&weekly, at, 20261115), 20261122);
	/* Used. */
	assert_int_equal(due(&weekly, at + 60, 20261122), 0);
	/* Late, but not for ever. */
	assert_int_equal(due(&weekly, at + SCHEDULE_LATE_S - 1, 0), 20261122);
	assert_int_equal(due(&weekly, at + SCHEDULE_LATE_S, 0), 0);
	for (int day = 1; day < 7; day++)
		assert_int_equal(due(&weekly, at + day * DAY, 20261122), 0);
	assert_int_equal(due(&weekly, at + 7 * DAY, 20261122), 20261129);
	assert_int_equal(next(&weekly, at - 1, 0), at);
	assert_int_equal(next(&weekly, at, 20261122), at + 7 * DAY);
	assert_int_equal(next(&weekly, at + 5 * DAY, 20261122), at + 7 * DAY);
	/* Never. */
	assert_int_equal(due(&(struct schedule){ -1, -1 }, at, 0), 0);
	assert_int_equal(next(&(struct schedule){ -1, -1 }, at, 0), -1);
}

static void
test_daily_over_midnight(void **state)
{
	static const struct schedule late = { -1, 23 * 60 + 30 };
	int64_t at = SUNDAY + 23 * HOUR + 1800;

	(void)state;
	zone("UTC");
	/* Half past midnight it is still yesterday's. */
	assert_int_equal(due(&late, at + HOUR, 20261121), 20261122);
	assert_int_equal(due(&late, at + HOUR, 20261122), 0);
	assert_int_equal(next(&late, at + HOUR, 20261122), at + DAY);
	/* And of two it is the newer one. */
	assert_int_equal(due(&daily, SUNDAY + 3 * HOUR, 0), 20261122);
}

/* 2026-03-29 in Berlin has no 02:30; 2026-10-25 has two. */
static void
test_summer_time(void **state)
{
	static const struct schedule half = { -1, 2 * 60 + 30 };
	const int64_t spring = INT64_C(1774738800);	/* 03-29 00:00 CET */
	const int64_t autumn = INT64_C(1792879200);	/* 10-25 00:00 CEST */
	int last = 20260328, runs = 0, day;

	(void)state;
	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	for (int64_t t = spring; t < spring + 23 * HOUR; t += 60) {
		day = due(&half, t, last);
		if (day != 0) {
			assert_int_equal(day, 20260329);
			last = day;
			runs++;
		}
	}
	assert_int_equal(runs, 1);
	last = 20261024;
	for (int64_t t = autumn; t < autumn + 25 * HOUR; t += 60) {
		day = due(&half, t, last);
		if (day != 0) {
			assert_int_equal(day, 20261025);
			last = day;
			runs++;
		}
	}
	assert_int_equal(runs, 2);
	/* Local time: an hour later in UTC once summer is over. */
	assert_int_equal(next(&daily, autumn - 10 * HOUR, 0) % DAY, 2 * HOUR);
	assert_int_equal(next(&daily, autumn + 10 * HOUR, 0) % DAY, 2 * HOUR);
	assert_int_equal(next(&daily, spring - 10 * HOUR, 0) % DAY, 1 * HOUR);
	zone("UTC");
}

/* A box without a clock of its own, and clocks that are set. */
static void
test_wrong_clocks(void **state)
{
	int64_t at = SUNDAY + 3 * HOUR;
	struct schedule_now synced = { at, true };

	(void)state;
	zone("UTC");
	/* 1970-01-04 was a Sunday. */
	assert_int_equal(due(&weekly, 3 * DAY + 3 * HOUR, 0), 0);
	assert_int_equal(next(&weekly, 3 * DAY + 3 * HOUR, 0), -1);
	/* Back by an hour after it ran, and there again. */
	assert_int_equal(due(&weekly, at - HOUR, 20261122), 0);
	assert_int_equal(due(&weekly, at, 20261122), 0);
	/* A clock that fell behind what was done is not believed... */
	assert_int_equal(due(&weekly, at, 20270314), 0);
	assert_int_equal(next(&weekly, at, 20270314), -1);
	/* ... unless something better than it says so. */
	assert_int_equal(schedule_due(&weekly, &synced, 20270314), 20261122);
	assert_int_equal(schedule_next(&weekly, &synced, 20270314),
	    at + 7 * DAY);
	assert_int_equal(schedule_due(&weekly, &synced, 20261122), 0);
	/* Forward over the slot: late, once. */
	assert_int_equal(due(&weekly, at + 5 * HOUR, 20261115), 20261122);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weekly),
		cmocka_unit_test(test_daily_over_midnight),
		cmocka_unit_test(test_summer_time),
		cmocka_unit_test(test_wrong_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
