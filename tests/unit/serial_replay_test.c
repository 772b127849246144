#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/syscall.h>

#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "recorded_help.h"
#include "serial/replay.h"

static int64_t virtual_us = 1000000000;

/* Stands before libc: only what is waited for takes time. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, ts);
	ts->tv_sec = (time_t)(virtual_us / 1000000);
	ts->tv_nsec = (long)(virtual_us % 1000000) * 1000;
	return 0;
}

static int
make(void **state)
{
	struct recorded *t = recorded_new();

	put(t->j, 0, "\x1b[1mone\x1b[0m\x1b[6n\r\n");
	put(t->j, 100, "tw");
	put(t->j, 150, "o");
	put(t->j, 180, "\r\n");
	put(t->j, 400, "three\r\n");
	put(t->j, 400, "end");
	journal_flush(t->j, ms(1000), JOURNAL_SHOW_ALL);
	*state = t;
	return 0;
}

static int
play(const struct recorded *t, struct shown *shown, bool tty,
    const char *options)
{
	char copy[200], *argv[WORDS_MAX] = { "replay", "gw" };
	struct view v = { &shown_ops, shown, t->s.dir, tty };
	int argc = 2;

	shown->clock = &virtual_us;
	argc = add_words(argv, argc, copy, options);
	return (int)replay_run(&v, argc, argv);
}

/* How far a piece was from its time, at worst, in microseconds. */
static int64_t
worst(const struct shown *shown)
{
	static const int64_t at[] = { 0, 100, 150, 180, 400, 400 };
	int64_t off, max = 0;

	for (int i = 1; i < 6; i++) {
		off = shown->at[i] - shown->at[0] - at[i] * 1000;
		if (llabs(off) > max)
			max = llabs(off);
	}
	return max;
}

/* The pieces come when they came: to 10 ms. */
static void
test_time(void **state)
{
	struct shown shown = { .waits = 0 };

	assert_int_equal(play(*state, &shown, false, ""), 0);
	assert_int_equal(shown.writes, 6);
	assert_string_equal(shown_text(&shown, 1), "one\ntwo\nthree\nend");
	assert_non_null(strstr(shown_text(&shown, 2), "last 10 minutes"));
	assert_true(worst(&shown) <= 10000);
	shown_drop(&shown);
}

/* Microseconds that it takes. */
static int64_t
takes(const struct recorded *t, const char *options)
{
	struct shown shown = { .waits = 0 };
	int64_t took;

	assert_int_equal(play(t, &shown, false, options), 0);
	took = shown.at[shown.writes - 1] - shown.at[0];
	shown_drop(&shown);
	return took;
}

static void
test_speed_and_idle(void **state)
{
	assert_in_range(takes(*state, "--speed 4"), 90000, 300000);
	assert_in_range(takes(*state, "--idle 0.05"), 170000,
	    380000);
	assert_in_range(takes(*state, "--idle 20ms"), 70000, 300000);
}

static void
test_range(void **state)
{
	struct shown shown = { .waits = 0 };

	/* A line that had begun is shown from its beginning. */
	assert_int_equal(play(*state, &shown, false, "--at "
	    "2026-11-22T09:41:03.140Z --until 2026-11-22T09:41:03.300Z "
	    "--speed 10"), 0);
	assert_string_equal(shown_text(&shown, 1), "two\n");
	shown_drop(&shown);
	assert_int_equal(play(*state, &shown, false, "--until "
	    "2026-11-22T09:41:03.160Z --speed 10"), 0);
	assert_string_equal(shown_text(&shown, 1), "one\ntwo");
	shown_drop(&shown);
	assert_int_equal(play(*state, &shown, false, "--at 2027-01-01"),
	    VIEW_FAILED);
	assert_non_null(strstr(shown_text(&shown, 2), "nothing"));
	shown_drop(&shown);
}

static void
test_terminal(void **state)
{
	struct shown shown = { .waits = 0 };

	assert_int_equal(play(*state, &shown, true, "--at -0s"),
	    VIEW_FAILED);
	shown_drop(&shown);
	/* It may draw, not ask. */
	assert_int_equal(play(*state, &shown, true, "--speed 1000"), 0);
	assert_ptr_equal(strstr(shown.out[1], "\x1b[1mone\x1b[0m\r\ntwo\r\n"
	    "three\r\nend\x0f\x1b(B"), shown.out[1]);
	shown_drop(&shown);
	assert_int_equal(play(*state, &shown, true, "--speed 1000 --raw"), 0);
	assert_ptr_equal(strstr(shown.out[1], "\x1b[1mone\x1b[0m\x1b[6n\r\n"),
	    shown.out[1]);
	shown_drop(&shown);
}

static void
test_keys(void **state)
{
	struct shown shown = { .keys = "  q" };

	/* Pause, go on, quit. */
	assert_int_equal(play(*state, &shown, true, ""), 0);
	assert_non_null(strstr(shown_text(&shown, 2), "ended"));
	assert_null(strstr(shown.out[1], "three"));
	shown_drop(&shown);
	/* Paused, and nobody looks any more. */
	shown.keys = " ";
	assert_int_equal(play(*state, &shown, true, ""), 0);
	assert_null(strstr(shown_text(&shown, 1), "three"));
	shown_drop(&shown);
	/* Faster and faster. */
	shown.keys = ".++++++";
	assert_int_equal(play(*state, &shown, true, ""), 0);
	assert_non_null(strstr(shown.out[1], "three"));
	assert_true(shown.at[shown.writes - 3] - shown.at[0] < 350000);
	shown_drop(&shown);
	/* In a pipe nothing is a key. */
	shown.keys = "qqqqqq";
	assert_int_equal(play(*state, &shown, false, "--speed 100"), 0);
	assert_string_equal(shown_text(&shown, 1), "one\ntwo\nthree\nend");
	shown_drop(&shown);
}

/* Restarts and reboots do not make it wait for what is no time. */
static void
test_restart(void **state)
{
	struct recorded *t = *state;
	struct stamp later = ms(500);
	struct shown shown = { .waits = 0 };
	struct jfile_conf conf = { .log_dir = t->s.dir, .console = "gw",
	    .box = "x", .boot = 0x999 };

	journal_cut(t->j);
	journal_flush(t->j, ms(1000), JOURNAL_SHOW_ALL);
	journal_free(t->j);
	t->j = journal_new(&conf);
	journal_begin(t->j, 35, false);
	later.mono.us = 1000000;	/* rebooted */
	assert_int_equal(journal_data(t->j, later, "boot\n", 5), 5);
	journal_flush(t->j, later, JOURNAL_SHOW_ALL);
	assert_int_equal(play(t, &shown, false, ""), 0);
	assert_string_equal(shown_text(&shown, 1),
	    "one\ntwo\nthree\nendboot\n");
	assert_in_range(shown.at[shown.writes - 1] - shown.at[0], 480000,
	    900000);
	shown_drop(&shown);
}

/* Where nothing was ever printed there is no last time to begin before. */
static void
test_only_events(void **state)
{
	struct recorded *t = *state;
	struct shown shown = { .rows = 24 };
	struct jfile_conf conf = { .log_dir = t->s.dir, .console = "gw",
	    .box = "x", .boot = 0x999 };

	journal_free(t->j);
	scratch_drop(&t->s);
	scratch_make(&t->s);
	t->j = journal_new(&conf);
	journal_begin(t->j, 0, false);
	assert_int_equal(journal_event(t->j, ms(0), RECORD_EVENT,
	    "line-lost", 9), 0);
	journal_flush(t->j, ms(1000), JOURNAL_SHOW_ALL);
	shown.gone_after = 100;
	(void)play(t, &shown, true, "");
	assert_non_null(strstr(shown_text(&shown, 1), "line-lost"));
	assert_true(shown.slept_ms < 60000);
	shown_drop(&shown);
}

static void
test_usage(void **state)
{
	static const char *const bad[] = { "--speed 0", "--speed -1",
	    "--speed fast", "--speed", "--idle x", "--at noon", "--bogus",
	    "--at now --until -1h" };
	struct shown shown = { .waits = 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(play(*state, &shown, false, bad[i]),
		    VIEW_USAGE);
		assert_string_not_equal(shown_text(&shown, 2), "");
		shown_drop(&shown);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_time, make, drop),
		cmocka_unit_test_setup_teardown(test_speed_and_idle, make,
		    drop),
		cmocka_unit_test_setup_teardown(test_range, make, drop),
		cmocka_unit_test_setup_teardown(test_terminal, make, drop),
		cmocka_unit_test_setup_teardown(test_keys, make, drop),
		cmocka_unit_test_setup_teardown(test_restart, make, drop),
		cmocka_unit_test_setup_teardown(test_only_events, make, drop),
		cmocka_unit_test_setup_teardown(test_usage, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
