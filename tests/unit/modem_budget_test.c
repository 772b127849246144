/* Bytes of the day and the month through reboots, wrong clocks and wraps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "modem/budget.h"
#include "server/base/fileio.h"

static char folder[] = "/tmp/oobd-budget-XXXXXX", path[64];

static const struct budget_conf conf = {
	.day_soft = 800, .day_hard = 1000,
	.month_soft = 4000, .month_hard = 5000,
	.month_start = 15,
};

/* Noon of a day, plus seconds; monotonic time goes along. */
static struct stamp
at(int y, int m, int d, int64_t plus_s)
{
	struct tm tm = { .tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d,
	    .tm_hour = 12, .tm_isdst = -1 };
	struct stamp s;

	s.utc_us = ((int64_t)mktime(&tm) + plus_s) * 1000000;
	s.mono.us = s.utc_us;
	return s;
}

static int
begin(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static uint64_t
day_of(struct budget *b, struct stamp now, uint64_t *month)
{
	struct budget_look l;

	budget_look(b, now, &l);
	if (month != NULL)
		*month = l.month;
	return l.day;
}

/* So many bytes on this day, by a process of its own. */
static enum budget_level
use(struct stamp now, uint64_t n)
{
	struct budget *b = budget_new(path, &conf, now);
	enum budget_level l;

	budget_start(b, 1000000, 1000000, now);
	l = budget_count(b, 1000000 + n / 2, 1000000 + n - n / 2, now);
	budget_end(b, 1000000 + n / 2, 1000000 + n - n / 2, now);
	budget_free(b);
	return l;
}

static void
check(struct stamp now, uint64_t day, uint64_t month)
{
	struct budget *b = budget_new(path, &conf, now);
	uint64_t m;

	assert_int_equal(day_of(b, now, &m), day);
	assert_int_equal(m, month);
	budget_free(b);
}

static void
test_levels(void **state)
{
	struct stamp now = at(2026, 3, 1, 0);
	char why[BUDGET_TEXT];
	struct budget *b;

	(void)state;
	assert_int_equal(use(now, 799), BUDGET_FINE);
	assert_int_equal(use(now, 1), BUDGET_SOFT);
	b = budget_new(path, &conf, now);
	assert_string_equal(budget_refuses(b, false, now, why), "");
	budget_free(b);
	assert_int_equal(use(now, 200), BUDGET_HARD);
	b = budget_new(path, &conf, now);
	assert_string_equal(budget_refuses(b, false, now, why),
	    "1.0 kB of 1.0 kB this day are used up");
	assert_string_equal(budget_refuses(b, true, now, why), "");
	/* Tomorrow is another day. */
	assert_string_equal(budget_refuses(b, false, at(2026, 3, 2, 0), why),
	    "");
	budget_free(b);
}

static void
test_month(void **state)
{
	(void)state;
	for (int d = 10; d < 15; d++)
		use(at(2026, 3, d, 0), 990);
	check(at(2026, 3, 14, 0), 990, 4950);
	use(at(2026, 3, 14, 60), 50);
	assert_int_equal(use(at(2026, 3, 14, 120), 0), BUDGET_HARD);
	check(at(2026, 3, 15, 0), 0, 0);
	use(at(2026, 3, 16, 0), 10);
	/* The month goes on across the calendar's, and a year's end. */
	check(at(2026, 4, 14, 0), 0, 10);
	check(at(2026, 4, 15, 0), 0, 0);
	use(at(2026, 12, 20, 0), 7);
	check(at(2027, 1, 14, 0), 0, 7);
	check(at(2027, 1, 15, 0), 0, 0);
	/* Away for exactly a year: another month all the same. */
	use(at(2027, 1, 20, 0), 5);
	check(at(2028, 1, 20, 0), 0, 0);
}

static void
test_clock(void **state)
{
	struct stamp epoch = { .utc_us = 5 * 1000000, .mono = { 1 } };
	struct budget_look l;
	struct budget *b;

	(void)state;
	use(at(2026, 3, 1, 0), 900);
	/* A box without battery: its bytes count for the last day known. */
	assert_int_equal(use(epoch, 50), BUDGET_SOFT);
	assert_int_equal(use(epoch, 50), BUDGET_HARD);
	b = budget_new(path, &conf, epoch);
	budget_look(b, epoch, &l);
	assert_false(l.trusted);
	assert_int_equal(l.mday, 1);
	assert_int_equal(l.mon, 3);
	budget_free(b);
	check(at(2026, 3, 1, 3600), 1000, 1000);
	/* A clock some days behind gives no second budget... */
	check(at(2026, 2, 27, 0), 1000, 1000);
	check(at(2026, 2, 28, 0), 1000, 1000);
	check(at(2026, 3, 1, 0), 1000, 1000);
	/* ... the next day does. */
	check(at(2026, 3, 2, 0), 0, 1000);
}

/* One that was years ahead when it counted: bytes stay, dates are put right. */
static void
test_clock_ahead(void **state)
{
	(void)state;
	use(at(2099, 6, 20, 0), 900);
	check(at(2026, 3, 20, 0), 900, 900);
	use(at(2026, 3, 20, 0), 10);
	check(at(2026, 3, 20, 0), 910, 910);
	check(at(2026, 3, 21, 0), 0, 910);
}

/* The first boot of all, in 1970: counted, and dated when the clock is set. */
static void
test_never_set(void **state)
{
	struct stamp epoch = { .utc_us = 5 * 1000000, .mono = { 1 } };

	(void)state;
	use(epoch, 300);
	use(epoch, 300);
	check(at(2026, 3, 1, 0), 600, 600);
}

static void
test_counters(void **state)
{
	const uint64_t wrap = (uint64_t)1 << 32;
	struct stamp now = at(2026, 3, 1, 0);
	struct budget *b = budget_new(path, &conf, now);

	(void)state;
	/* 32 bits wrap. */
	budget_start(b, wrap - 10, 0, now);
	budget_count(b, 5, 0, now);
	assert_int_equal(day_of(b, now, NULL), 15);
	/* The interface was made anew: all it has counts. */
	budget_start(b, 5000, 5000, now);
	budget_count(b, 5100, 5000, now);
	budget_count(b, 20, 30, now);
	assert_int_equal(day_of(b, now, NULL), 15 + 100 + 50);
	budget_end(b, 20, 30, now);
	/* Without a link nothing counts. */
	budget_count(b, 9999, 9999, now);
	budget_end(b, 99999, 99999, now);
	assert_int_equal(day_of(b, now, NULL), 165);
	budget_free(b);
	check(now, 165, 165);
}

static void
test_midnight(void **state)
{
	struct stamp before = at(2026, 3, 1, 43190);
	struct stamp after = at(2026, 3, 2, -43190);
	struct budget_look l;
	struct budget *b = budget_new(path, &conf, before);

	(void)state;
	budget_start(b, 0, 0, before);
	assert_int_equal(budget_count(b, 500, 500, before), BUDGET_HARD);
	assert_int_equal(budget_count(b, 550, 550, after), BUDGET_FINE);
	budget_look(b, after, &l);
	assert_int_equal(l.day, 100);
	assert_int_equal(l.month, 1100);
	assert_int_equal(l.session, 1100);
	budget_free(b);
}

/* Power cut: what is on the disk is at most a minute old. */
static void
test_saved(void **state)
{
	struct stamp now = at(2026, 3, 1, 0);
	struct budget *b = budget_new(path, &conf, now);

	(void)state;
	budget_start(b, 0, 0, now);
	budget_count(b, 100, 0, at(2026, 3, 1, 59));
	assert_int_equal(access(path, F_OK), -1);
	budget_count(b, 200, 0, at(2026, 3, 1, 60));
	check(now, 200, 200);
	budget_count(b, 300, 0, at(2026, 3, 1, 61));
	check(now, 200, 200);
	budget_count(b, 300, 0, at(2026, 3, 1, 121));
	check(now, 300, 300);
	/* Many in a short time are not risked. */
	budget_count(b, 300 + BUDGET_SAVE_BYTES - 1, 0, at(2026, 3, 1, 122));
	check(now, 300, 300);
	budget_count(b, 300 + BUDGET_SAVE_BYTES, 0, at(2026, 3, 1, 123));
	check(now, 300 + BUDGET_SAVE_BYTES, 300 + BUDGET_SAVE_BYTES);
	budget_count(b, 301 + BUDGET_SAVE_BYTES, 0, at(2026, 3, 1, 124));
	check(now, 300 + BUDGET_SAVE_BYTES, 300 + BUDGET_SAVE_BYTES);
	budget_end(b, 333 + BUDGET_SAVE_BYTES, 0, at(2026, 3, 1, 125));
	check(now, 333 + BUDGET_SAVE_BYTES, 333 + BUDGET_SAVE_BYTES);
	budget_free(b);
}

static void
test_broken_file(void **state)
{
	static const char *const bad[] = { "", "oobd budget 2\n",
	    "oobd budget 1\ndate 1\nday -5\nmonth 1\n",
	    "oobd budget 1\ndate 1\nday 5\n",
	    "oobd budget 1\ndate 1\nday 99999999999999999999\nmonth 1\n",
	    "oobd budget 1\ndate 1\nday 1\nmonth 1\nmore\n", "\xff\xfe" };
	struct stamp now = at(2026, 3, 1, 0);
	char aside[80];

	(void)state;
	snprintf(aside, sizeof(aside), "%s.bad", path);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unlink(aside);
		assert_return_code(file_replace(path, bad[i], strlen(bad[i]),
		    0600), 0);
		check(now, 0, 0);
		assert_int_equal(access(aside, F_OK), 0);
	}
	unlink(aside);
}

static void
test_text(void **state)
{
	struct stamp now = at(2026, 3, 1, 0);
	struct budget_conf none = { .month_start = 1 };
	struct budget *b;
	char text[BUDGET_TEXT];

	(void)state;
	use(now, 900);
	b = budget_new(path, &conf, now);
	assert_string_equal(budget_text(b, now, text),
	    "900 B of 1.0 kB today, 900 B of 5.0 kB this month");
	budget_configure(b, &none);
	assert_string_equal(budget_text(b, now, text),
	    "900 B today, 900 B this month");
	budget_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_levels, begin),
		cmocka_unit_test_setup(test_month, begin),
		cmocka_unit_test_setup(test_clock, begin),
		cmocka_unit_test_setup(test_clock_ahead, begin),
		cmocka_unit_test_setup(test_never_set, begin),
		cmocka_unit_test_setup(test_counters, begin),
		cmocka_unit_test_setup(test_midnight, begin),
		cmocka_unit_test_setup(test_saved, begin),
		cmocka_unit_test_setup(test_broken_file, begin),
		cmocka_unit_test_setup(test_text, begin),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/budget", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return failed;
}
