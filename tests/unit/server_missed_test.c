#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/missed.h"

static struct stamp
at(int64_t ms)
{
	return (struct stamp){ .utc_us = 1000000 + ms * 1000,
	    .mono = { 5000000 + ms * 1000 } };
}

static int
set_up(void **state)
{
	*state = missed_new();
	return 0;
}

static int
tear_down(void **state)
{
	missed_free(*state);
	return 0;
}

static void
test_once(void **state)
{
	uint64_t where = 0;
	int64_t utc = 0;

	assert_false(missed_take(*state, "alice", "gw", at(0).mono, &where,
	    &utc));
	missed_note(*state, "alice", "gw", 77, at(10));
	assert_false(missed_take(*state, "alice", "sw", at(20).mono, &where,
	    &utc));
	assert_false(missed_take(*state, "bob", "gw", at(20).mono, &where,
	    &utc));
	assert_true(missed_take(*state, "alice", "gw", at(20).mono, &where,
	    &utc));
	assert_int_equal(where, 77);
	assert_int_equal(utc, at(10).utc_us);
	assert_false(missed_take(*state, "alice", "gw", at(20).mono, &where,
	    &utc));
}

static void
test_least_counts(void **state)
{
	uint64_t where;
	int64_t utc;

	missed_note(*state, "alice", "gw", 77, at(0));
	missed_note(*state, "alice", "gw", 99, at(1));
	missed_note(*state, "alice", "gw", 55, at(2));
	assert_true(missed_take(*state, "alice", "gw", at(3).mono, &where,
	    &utc));
	assert_int_equal(where, 55);
}

static void
test_goes_stale(void **state)
{
	uint64_t where;
	int64_t utc;

	missed_note(*state, "alice", "gw", 77, at(0));
	assert_false(missed_take(*state, "alice", "gw",
	    at(MISSED_MS + 1).mono, &where, &utc));
	missed_note(*state, "alice", "gw", 88, at(MISSED_MS + 2));
	assert_true(missed_take(*state, "alice", "gw",
	    at(2 * MISSED_MS + 2).mono, &where, &utc));
	assert_int_equal(where, 88);
}

static void
test_is_bounded(void **state)
{
	char name[32];
	uint64_t where;
	int64_t utc;

	for (int i = 0; i < MISSED_MAX + 3; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		missed_note(*state, name, "gw", (uint64_t)i, at(i));
	}
	for (int i = 0; i < MISSED_MAX + 3; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		assert_int_equal(missed_take(*state, name, "gw",
		    at(1000).mono, &where, &utc), i >= 3);
		if (i >= 3)
			assert_int_equal(where, i);
	}
}

int
main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_once),
		TEST(test_least_counts),
		TEST(test_goes_stale),
		TEST(test_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
