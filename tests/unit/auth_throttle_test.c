#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "auth/throttle.h"

static struct mono
at(int64_t ms)
{
	return (struct mono){ 1000000000 + ms * 1000 };
}

static int
setup(void **state)
{
	*state = throttle_new(&throttle_defaults);
	return 0;
}

static int
teardown(void **state)
{
	throttle_free(*state);
	return 0;
}

/* n connections, each from another source. */
static unsigned
admit_others(struct throttle *t, unsigned n)
{
	char a[32];
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++) {
		snprintf(a, sizeof(a), "192.0.2.%u", i);
		got += throttle_admit(t, a, at(0)) == THROTTLE_OK;
	}
	return got;
}

static void
test_total_keeps_a_slot(void **state)
{
	struct throttle *t = *state;

	assert_int_equal(admit_others(t, 100), 15);
	assert_int_equal(throttle_admit(t, "203.0.113.1", at(0)),
	    THROTTLE_FULL);
	/* The relay, and then loopback, still have one slot together. */
	assert_int_equal(throttle_admit(t, NULL, at(0)), THROTTLE_OK);
	assert_int_equal(throttle_admit(t, "127.0.0.1", at(0)), THROTTLE_FULL);
	throttle_done(t, NULL, THROTTLE_AUTHENTICATED, at(0));
	/* What the exempt gave back is not for others. */
	assert_int_equal(throttle_admit(t, "203.0.113.1", at(0)),
	    THROTTLE_FULL);
	assert_int_equal(throttle_admit(t, "::1", at(0)), THROTTLE_OK);
	throttle_done(t, "192.0.2.3", THROTTLE_AUTHENTICATED, at(0));
	assert_int_equal(throttle_admit(t, "203.0.113.1", at(0)),
	    THROTTLE_OK);
}

static void
test_exempt_may_fill_all(void **state)
{
	struct throttle *t = *state;

	for (int i = 0; i < 16; i++)
		assert_int_equal(throttle_admit(t, "127.0.0.1", at(0)),
		    THROTTLE_OK);
	assert_int_equal(throttle_admit(t, "127.0.0.1", at(0)),
	    THROTTLE_FULL);
	assert_int_equal(throttle_admit(t, "192.0.2.1", at(0)), THROTTLE_FULL);
	/* No penalty, whatever they do. */
	for (int i = 0; i < 16; i++)
		throttle_done(t, "127.0.0.1", THROTTLE_GRACE, at(0));
	assert_int_equal(throttle_admit(t, "127.0.0.1", at(1)), THROTTLE_OK);
}

static void
test_relay_leaves_a_slot(void **state)
{
	struct throttle *t = *state;

	for (int i = 0; i < 15; i++)
		assert_int_equal(throttle_admit(t, NULL, at(0)), THROTTLE_OK);
	assert_int_equal(throttle_admit(t, NULL, at(0)), THROTTLE_FULL);
	assert_int_equal(throttle_admit(t, "192.0.2.1", at(0)), THROTTLE_OK);
	assert_int_equal(throttle_admit(t, "127.0.0.1", at(0)),
	    THROTTLE_FULL);
	for (int i = 0; i < 15; i++)
		throttle_done(t, NULL, THROTTLE_GRACE, at(0));
	assert_int_equal(throttle_admit(t, NULL, at(0)), THROTTLE_OK);
	assert_int_equal(throttle_admit(t, "127.0.0.1", at(0)), THROTTLE_OK);
}

static void
test_per_source(void **state)
{
	struct throttle *t = *state;

	for (int i = 0; i < 4; i++)
		assert_int_equal(throttle_admit(t, "192.0.2.1", at(0)),
		    THROTTLE_OK);
	assert_int_equal(throttle_admit(t, "192.0.2.1", at(0)),
	    THROTTLE_SOURCE_FULL);
	assert_int_equal(throttle_admit(t, "::ffff:192.0.2.1", at(0)),
	    THROTTLE_SOURCE_FULL);
	assert_int_equal(throttle_admit(t, "192.0.2.2", at(0)), THROTTLE_OK);
	throttle_done(t, "192.0.2.1", THROTTLE_AUTHENTICATED, at(0));
	assert_int_equal(throttle_admit(t, "192.0.2.1", at(0)), THROTTLE_OK);
}

static void
test_v6_is_a_64(void **state)
{
	struct throttle *t = *state;

	assert_int_equal(throttle_admit(t, "2001:db8:0:1::1", at(0)), 0);
	assert_int_equal(throttle_admit(t, "2001:db8:0:1::2", at(0)), 0);
	assert_int_equal(throttle_admit(t, "2001:db8:0:1:9::", at(0)), 0);
	assert_int_equal(throttle_admit(t, "2001:db8:0:1:f:f:f:f", at(0)), 0);
	assert_int_equal(throttle_admit(t, "2001:db8:0:1::5", at(0)),
	    THROTTLE_SOURCE_FULL);
	assert_int_equal(throttle_admit(t, "2001:db8:0:2::1", at(0)), 0);
}

static enum throttle_verdict
try(struct throttle *t, enum throttle_outcome o, int64_t ms)
{
	enum throttle_verdict v = throttle_admit(t, "192.0.2.1", at(ms));

	if (v == THROTTLE_OK)
		throttle_done(t, "192.0.2.1", o, at(ms));
	return v;
}

/* 5 s each; from more than 15 s on the source waits all of it. */
static void
test_penalties_add_up(void **state)
{
	struct throttle *t = *state;

	for (int i = 0; i < 4; i++)
		assert_int_equal(try(t, THROTTLE_FAILED, 0), THROTTLE_OK);
	assert_int_equal(try(t, THROTTLE_FAILED, 1), THROTTLE_PENALTY);
	/* Still, when less than the threshold is left. */
	assert_int_equal(try(t, THROTTLE_FAILED, 19000), THROTTLE_PENALTY);
	assert_int_equal(try(t, THROTTLE_FAILED, 19999), THROTTLE_PENALTY);
	assert_int_equal(try(t, THROTTLE_FAILED, 20000), THROTTLE_OK);
	/* It starts over: one more failure is not enough. */
	assert_int_equal(try(t, THROTTLE_FAILED, 20001), THROTTLE_OK);
}

static void
test_slow_failures_are_forgiven(void **state)
{
	struct throttle *t = *state;

	for (int i = 0; i < 100; i++)
		assert_int_equal(try(t, THROTTLE_FAILED, i * 5000),
		    THROTTLE_OK);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(try(t, THROTTLE_AUTHENTICATED, 600000 + i),
		    THROTTLE_OK);
}

static void
test_outcomes(void **state)
{
	struct throttle *t = *state;

	/* 10 + 1 + 1 + 1 + 1 + 1 = 15 is not more than 15. */
	try(t, THROTTLE_GRACE, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(try(t, THROTTLE_EARLY, 0), THROTTLE_OK);
	assert_int_equal(try(t, THROTTLE_EXCUSED, 0), THROTTLE_OK);
	assert_int_equal(try(t, THROTTLE_EARLY, 0), THROTTLE_OK);
	assert_int_equal(try(t, THROTTLE_EARLY, 0), THROTTLE_PENALTY);
	assert_int_equal(throttle_admit(t, "192.0.2.2", at(0)), THROTTLE_OK);
}

static void
test_penalty_has_a_maximum(void **state)
{
	struct throttle_conf conf = throttle_defaults;
	struct throttle *t = *state;

	conf.enforce_ms = 1000000000;
	throttle_configure(t, &conf);
	for (int i = 0; i < 1000; i++)
		try(t, THROTTLE_GRACE, 0);
	conf.enforce_ms = 15000;
	throttle_configure(t, &conf);
	assert_int_equal(try(t, THROTTLE_FAILED, 0), THROTTLE_OK);
	assert_int_equal(try(t, THROTTLE_FAILED, 599999), THROTTLE_PENALTY);
	assert_int_equal(try(t, THROTTLE_FAILED, 600000), THROTTLE_OK);
}

/* The table is bounded; who has to wait longest is remembered longest. */
static void
test_table_is_bounded(void **state)
{
	struct throttle_counts c;
	struct throttle *t = *state;
	char a[32];

	for (int i = 0; i < 2; i++)
		try(t, THROTTLE_GRACE, 0);
	assert_int_equal(try(t, THROTTLE_GRACE, 0), THROTTLE_PENALTY);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(a, sizeof(a), "10.0.%u.%u", i / 256, i % 256);
		assert_int_equal(throttle_admit(t, a, at(0)), THROTTLE_OK);
		throttle_done(t, a, THROTTLE_EARLY, at(0));
	}
	throttle_count(t, at(0), &c);
	assert_int_equal(c.sources, 4096);
	assert_int_equal(c.penalised, 1);
	assert_int_equal(c.unauth, 0);
	assert_int_equal(c.admitted, 10002);
	assert_int_equal(try(t, THROTTLE_GRACE, 0), THROTTLE_PENALTY);
	/* And served penalties make room again. */
	assert_int_equal(throttle_admit(t, "10.9.9.9", at(700000)), 0);
	throttle_count(t, at(700000), &c);
	assert_int_equal(c.sources, 1);
}

static void
test_connected_are_never_forgotten(void **state)
{
	struct throttle_conf conf = throttle_defaults;
	struct throttle_counts c;
	struct throttle *t;

	(void)state;
	conf.sources = 1;
	t = throttle_new(&conf);
	assert_int_equal(admit_others(t, 15), 15);
	for (int i = 0; i < 3; i++)
		assert_int_equal(throttle_admit(t, "192.0.2.4", at(0)),
		    THROTTLE_FULL);
	for (unsigned i = 0; i < 15; i++) {
		char a[32];

		snprintf(a, sizeof(a), "192.0.2.%u", i);
		throttle_done(t, a, THROTTLE_EARLY, at(0));
	}
	throttle_count(t, at(0), &c);
	assert_int_equal(c.unauth, 0);
	assert_int_equal(c.refused[THROTTLE_FULL], 3);
	throttle_free(t);
}

static void
test_status(void **state)
{
	struct throttle *t = *state;
	char text[200], small[45];

	assert_string_equal(throttle_status(t, at(0), text, sizeof(text)),
	    "unauthenticated 0 of 16, penalised 0, refused 0");
	for (int i = 0; i < 5; i++)
		try(t, THROTTLE_FAILED, 0);
	throttle_admit(t, "2001:db8::1", at(0));
	assert_string_equal(throttle_status(t, at(500), text, sizeof(text)),
	    "unauthenticated 1 of 16, penalised 1, refused 1; "
	    "192.0.2.1 20s");
	throttle_status(t, at(500), small, sizeof(small));
	assert_true(strlen(small) < sizeof(small));
	assert_string_equal(throttle_text(THROTTLE_FULL),
	    "too many unauthenticated connections");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_total_keeps_a_slot),
		TEST(test_exempt_may_fill_all),
		TEST(test_relay_leaves_a_slot),
		TEST(test_per_source),
		TEST(test_v6_is_a_64),
		TEST(test_penalties_add_up),
		TEST(test_slow_failures_are_forgiven),
		TEST(test_outcomes),
		TEST(test_penalty_has_a_maximum),
		TEST(test_table_is_bounded),
		TEST(test_connected_are_never_forgotten),
		TEST(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
