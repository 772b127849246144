#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/grants.h"

#define T0 INT64_C(1795340463000000)	/* 2026-11-22T09:41:03Z */
#define MIN (60 * INT64_C(1000))
#define HOUR (60 * MIN)

/* Both clocks, wall off by so much. */
static struct stamp
at(int64_t ms, int64_t wall_ms)
{
	return (struct stamp){ T0 + (ms + wall_ms) * 1000,
	    { 1000000 + ms * 1000 } };
}

static struct grant
right(const char *user, const char *console)
{
	struct grant x = { .role = ROLE_OPERATOR, .by = "root" };

	snprintf(x.user, sizeof(x.user), "%s", user);
	snprintf(x.console, sizeof(x.console), "%s", console);
	return x;
}

static void
give(struct grants *g, const char *user, int64_t ms, struct stamp now)
{
	struct grant x = right(user, "gw");

	assert_int_equal(grants_add(g, &x, ms, now), 0);
}

/* What is left of bob's after a save at `then` and a load at `now`. */
static int64_t
left_after(const struct grants *g, struct stamp then, const char *boot,
    struct stamp now)
{
	char *text = grants_save(g, "one", then);
	struct grants *again = grants_new();
	int64_t left;

	assert_int_equal(grants_load(again, text, boot, now), 0);
	assert_non_null(grants_find(again, "bob", "gw"));
	left = grants_left_ms(grants_find(again, "bob", "gw"), now);
	free(text);
	grants_free(again);
	return left;
}

static void
one_per_user_and_console(void **state)
{
	struct grants *g = grants_new();
	char name[16];

	(void)state;
	assert_int_equal(grants_next_ms(g, at(0, 0)), -1);
	give(g, "bob", HOUR, at(0, 0));
	give(g, "bob", 2 * HOUR, at(MIN, 0));
	give(g, "carol", MIN, at(MIN, 0));
	assert_int_equal(grants_count(g), 2);
	assert_int_equal(grants_left_ms(grants_find(g, "bob", "gw"),
	    at(MIN, 0)), 2 * HOUR);
	assert_int_equal(grants_next_ms(g, at(MIN, 0)), MIN);
	assert_int_equal(grants_next_ms(g, at(HOUR, 0)), 0);
	assert_null(grants_find(g, "bob", "sw"));
	grants_remove(g, grants_find(g, "bob", "gw"));
	assert_null(grants_find(g, "bob", "gw"));
	assert_non_null(grants_find(g, "carol", "gw"));
	for (int i = 1; i < GRANTS_MAX; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		give(g, name, HOUR, at(0, 0));
	}
	struct grant x = right("dave", "gw");
	assert_int_equal(grants_add(g, &x, HOUR, at(0, 0)), -1);
	x = right("carol", "gw");
	assert_int_equal(grants_add(g, &x, HOUR, at(0, 0)), 0);
	grants_free(g);
}

static void
the_wall_clock_does_not_count(void **state)
{
	struct grants *g = grants_new();
	const struct grant *bob;

	(void)state;
	give(g, "bob", HOUR, at(0, 0));
	bob = grants_find(g, "bob", "gw");
	assert_int_equal(grants_left_ms(bob, at(MIN, 365 * 24 * HOUR)),
	    HOUR - MIN);
	assert_int_equal(grants_left_ms(bob, at(MIN, -365 * 24 * HOUR)),
	    HOUR - MIN);
	/* Nor when the process begins anew, in the same boot. */
	assert_int_equal(left_after(g, at(MIN, 0), "one", at(2 * MIN,
	    -10 * HOUR)), HOUR - 2 * MIN);
	assert_true(left_after(g, at(MIN, 0), "one", at(HOUR, -10 * HOUR)) <=
	    0);
	grants_free(g);
}

static void
a_reboot_never_adds(void **state)
{
	struct grants *g = grants_new();
	struct stamp then = at(10 * MIN, 0), early = at(0, 0);

	(void)state;
	give(g, "bob", HOUR, at(0, 0));
	/* Off for 20 minutes, by a clock that goes right. */
	assert_int_equal(left_after(g, then, "two", at(0, 30 * MIN)),
	    30 * MIN);
	/* Off for longer than that. */
	assert_true(left_after(g, then, "two", at(0, 2 * HOUR)) <= 0);
	/* A clock that was set back: what was left, less the cost. */
	assert_int_equal(left_after(g, then, "two", at(0, -1000 * HOUR)),
	    50 * MIN - GRANTS_REBOOT_MS);
	/* One that is put right later: then it is over. */
	char *text = grants_save(g, "one", then);
	struct grants *two = grants_new();
	assert_int_equal(grants_load(two, text, "two", at(0, -1000 * HOUR)),
	    0);
	assert_true(grants_left_ms(grants_find(two, "bob", "gw"),
	    at(MIN, 90 * MIN)) <= 0);
	free(text);
	/* Again and again: no more than it had. */
	for (int i = 0; i < 100; i++) {
		text = grants_save(g, "x", early);
		grants_free(g);
		g = grants_new();
		assert_int_equal(grants_load(g, text, "y", early), 0);
		free(text);
	}
	assert_true(grants_left_ms(grants_find(g, "bob", "gw"), early) <= 0);
	grants_free(two);
	grants_free(g);
}

/* A clock that was 1970 at first and is put right, then a reboot. */
static void
a_clock_that_comes_late(void **state)
{
	struct grants *g = grants_new();
	int64_t off = -T0 / 1000;

	(void)state;
	give(g, "bob", HOUR, at(0, off));
	assert_int_equal(grants_left_ms(grants_find(g, "bob", "gw"),
	    at(MIN, 0)), HOUR - MIN);
	assert_int_equal(left_after(g, at(10 * MIN, 0), "two",
	    at(0, 15 * MIN)), 45 * MIN);
	grants_free(g);
}

static void
damaged_files(void **state)
{
	static const struct {
		const char *text;
		int result;
		size_t count;
	} cases[] = {
		{ "", -1, 0 },
		{ "oobd-grants 2\nboot x\n", -1, 0 },
		{ "oobd-grants 1\n", -1, 0 },
		{ "oobd-grants 1\nboot x", -1, 0 },
		{ "oobd-grants 1\nboot x\n", 0, 0 },
#define HEAD "oobd-grants 1\nboot x\n"
#define GOOD "grant bob gw viewer 9 9 9 0 root\n"
		{ HEAD GOOD, 0, 1 },
		{ HEAD GOOD GOOD, 1, 1 },
		{ HEAD GOOD "grant carol gw viewer 9 9 9 0 ro", 1, 1 },
		{ HEAD "grant carol gw admin 9 9 9 0 root\n" GOOD, 1, 1 },
		{ HEAD "grant ../x gw viewer 9 9 9 0 root\n", 1, 0 },
		{ HEAD "grant bob gw viewer 9 9 9 0 root x\n", 1, 0 },
		{ HEAD "grant bob gw viewer 9 9 999999999999 0 root\n", 1,
		    0 },
		{ HEAD "grant bob gw viewer 9223372036854775807 9 9 0 "
		    "root\n", 1, 0 },
		{ HEAD "\n\n", 2, 0 },
	};
	char *text, line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct grants *g = grants_new();

		assert_int_equal(grants_load(g, cases[i].text, "x",
		    at(0, 0)), cases[i].result);
		assert_int_equal(grants_count(g), cases[i].count);
		grants_free(g);
	}
	text = strdup(HEAD);
	for (int i = 0; i < GRANTS_MAX + 3; i++) {
		snprintf(line, sizeof(line), "grant u%d gw viewer 9 9 9 0 "
		    "root\n", i);
		text = realloc(text, strlen(text) + strlen(line) + 1);
		strcat(text, line);
	}
	struct grants *g = grants_new();
	assert_int_equal(grants_load(g, text, "x", at(0, 0)), 3);
	assert_int_equal(grants_count(g), GRANTS_MAX);
	grants_free(g);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_per_user_and_console),
		cmocka_unit_test(the_wall_clock_does_not_count),
		cmocka_unit_test(a_reboot_never_adds),
		cmocka_unit_test(a_clock_that_comes_late),
		cmocka_unit_test(damaged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
