#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/notify_queue.h"

#define S 1000LL
#define MIN (60 * S)
#define HOUR (60 * MIN)

static const struct notify_queue_sink two[] = {
	{ "phone", false }, { "hook", false },
};
static const struct notify_queue_sink resort[] = {
	{ "phone", false }, { "sms", true },
};

/* A queue and a clock. */
struct fixture {
	struct notify_queue *q;
	struct stamp now;
};

static struct fixture
begin(const struct notify_queue_sink *sinks, size_t n)
{
	struct fixture f = { notify_queue_new(),
	    { 1787572800000000, { 1000000000 } } };

	notify_queue_set_sinks(f.q, sinks, n, f.now.mono);
	return f;
}

static void
pass(struct fixture *f, int64_t ms)
{
	f->now.utc_us += ms * 1000;
	f->now.mono.us += ms * 1000;
}

static enum notify_taken
add(struct fixture *f, const char *source, const char *event, const char *text)
{
	struct notify_event e = { 0, NOTIFY_WARNING, source, event, text };

	return notify_queue_add(f->q, &e, f->now);
}

static int64_t
tick(struct fixture *f)
{
	bool changed = false;

	return notify_queue_tick(f->q, f->now, &changed);
}

static const struct notify_message *
next(struct fixture *f, size_t sink)
{
	int64_t wait;

	return notify_queue_next(f->q, sink, f->now.mono, &wait);
}

static int64_t
wait_of(struct fixture *f, size_t sink)
{
	int64_t wait = -2;

	assert_null(notify_queue_next(f->q, sink, f->now.mono, &wait));
	return wait;
}

static void
result(struct fixture *f, size_t sink, enum notify_outcome outcome,
    int64_t retry_ms)
{
	const struct notify_message *m = next(f, sink);

	assert_non_null(m);
	notify_queue_result(f->q, sink, m->seq, outcome, retry_ms,
	    f->now.mono);
}

/* Through the file, as after a restart so much later. */
static void
restart(struct fixture *f, const struct notify_queue_sink *sinks, size_t n,
    int64_t off_ms)
{
	char *text = notify_queue_save(f->q, f->now);

	assert_non_null(text);
	notify_queue_free(f->q);
	f->now.utc_us += off_ms * 1000;
	f->now.mono.us = 5000000;	/* as after a boot */
	f->q = notify_queue_new();
	notify_queue_set_sinks(f->q, sinks, n, f->now.mono);
	assert_int_equal(notify_queue_load(f->q, text, strlen(text), f->now),
	    0);
	free(text);
}

static void
test_each_sink_in_order(void **state)
{
	struct fixture f = begin(two, 2);

	(void)state;
	assert_int_equal(wait_of(&f, 0), -1);
	assert_int_equal(tick(&f), -1);
	assert_int_equal(add(&f, "gw", "line-lost", "one"), NOTIFY_TAKEN);
	assert_int_equal(add(&f, "sw", "line-lost", "two"), NOTIFY_TAKEN);
	assert_string_equal(next(&f, 0)->text, "one");
	assert_string_equal(next(&f, 0)->source, "gw");
	assert_int_equal(next(&f, 0)->seq, 1);
	assert_int_equal(next(&f, 0)->utc_us, f.now.utc_us);
	result(&f, 0, NOTIFY_SENT, -1);
	assert_string_equal(next(&f, 0)->text, "two");
	assert_string_equal(next(&f, 1)->text, "one");
	result(&f, 0, NOTIFY_SENT, -1);
	assert_null(next(&f, 0));
	assert_int_equal(notify_queue_owed(f.q, 0), 0);
	assert_int_equal(notify_queue_owed(f.q, 1), 2);
	result(&f, 1, NOTIFY_SENT, -1);
	result(&f, 1, NOTIFY_SENT, -1);
	assert_int_equal(notify_queue_count(f.q), 0);
	notify_queue_free(f.q);
}

/* 4xx: gone for this sink, the others keep theirs, the next one waits. */
static void
test_refused(void **state)
{
	struct fixture f = begin(two, 2);

	(void)state;
	add(&f, "gw", "a", "one");
	add(&f, "gw", "b", "two");
	result(&f, 0, NOTIFY_REFUSED, -1);
	assert_int_equal(wait_of(&f, 0), NOTIFY_REFUSED_MS);
	assert_string_equal(next(&f, 1)->text, "one");
	pass(&f, NOTIFY_REFUSED_MS);
	assert_string_equal(next(&f, 0)->text, "two");
	result(&f, 0, NOTIFY_REFUSED, -1);
	assert_int_equal(notify_queue_owed(f.q, 0), 0);
	assert_int_equal(notify_queue_owed(f.q, 1), 2);
	/* Longer and longer, until one is taken. */
	add(&f, "gw", "c", "three");
	assert_int_equal(wait_of(&f, 0), 2 * NOTIFY_REFUSED_MS);
	notify_queue_free(f.q);
}

static void
test_failed_backs_off(void **state)
{
	struct fixture f = begin(two, 2);
	int64_t want = NOTIFY_RETRY_MS;

	(void)state;
	add(&f, "gw", "a", "one");
	for (int i = 0; i < 12; i++) {
		assert_string_equal(next(&f, 0)->text, "one");
		result(&f, 0, NOTIFY_FAILED, -1);
		assert_int_equal(wait_of(&f, 0), want);
		pass(&f, want - 1);
		assert_int_equal(wait_of(&f, 0), 1);
		pass(&f, 1);
		want = want * 2 > NOTIFY_RETRY_MAX_MS ? NOTIFY_RETRY_MAX_MS :
		    want * 2;
	}
	/* Another way out: soon, yet not sooner than 5 s after this. */
	result(&f, 0, NOTIFY_FAILED, -1);
	assert_int_equal(wait_of(&f, 0), NOTIFY_RETRY_MAX_MS);
	notify_queue_kick(f.q, f.now.mono);
	assert_int_equal(wait_of(&f, 0), NOTIFY_RETRY_MS);
	pass(&f, NOTIFY_RETRY_MS);
	result(&f, 0, NOTIFY_SENT, -1);
	/* A success ends the backing off. */
	add(&f, "gw", "b", "two");
	result(&f, 0, NOTIFY_FAILED, -1);
	assert_int_equal(wait_of(&f, 0), NOTIFY_RETRY_MS);
	notify_queue_free(f.q);
}

static void
test_later(void **state)
{
	struct fixture f = begin(two, 2);

	(void)state;
	add(&f, "gw", "a", "one");
	result(&f, 0, NOTIFY_LATER, 90 * S);
	assert_int_equal(wait_of(&f, 0), 90 * S);
	/* Not because nobody answered: no other way helps. */
	notify_queue_kick(f.q, f.now.mono);
	assert_int_equal(wait_of(&f, 0), 90 * S);
	pass(&f, 90 * S);
	result(&f, 0, NOTIFY_LATER, 0);
	assert_int_equal(wait_of(&f, 0), NOTIFY_RETRY_MS);
	pass(&f, NOTIFY_RETRY_MS);
	result(&f, 0, NOTIFY_LATER, INT64_MAX / 2000);
	assert_int_equal(wait_of(&f, 0), NOTIFY_LATER_MAX_MS);
	pass(&f, NOTIFY_LATER_MAX_MS);
	result(&f, 0, NOTIFY_LATER, -1);
	assert_int_equal(wait_of(&f, 0), NOTIFY_LATER_MS);
	assert_int_equal(notify_queue_owed(f.q, 0), 1);
	notify_queue_free(f.q);
}

/* The same again is counted, and told as one when the time is over. */
static void
test_storm(void **state)
{
	struct fixture f = begin(two, 1);

	(void)state;
	assert_int_equal(add(&f, "gw", "a", "first"), NOTIFY_TAKEN);
	result(&f, 0, NOTIFY_SENT, -1);
	for (int i = 0; i < 100; i++) {
		pass(&f, S);
		assert_int_equal(add(&f, "gw", "a", i == 99 ? "last" : "x"),
		    NOTIFY_COUNTED);
	}
	/* Others are not held up. */
	assert_int_equal(add(&f, "sw", "a", "other"), NOTIFY_TAKEN);
	assert_int_equal(add(&f, "gw", "b", "other"), NOTIFY_TAKEN);
	result(&f, 0, NOTIFY_SENT, -1);
	result(&f, 0, NOTIFY_SENT, -1);
	assert_null(next(&f, 0));
	assert_int_equal(tick(&f), NOTIFY_AGAIN_MS - 100 * S);
	pass(&f, NOTIFY_AGAIN_MS - 100 * S - 1);
	assert_int_equal(tick(&f), 1);
	assert_null(next(&f, 0));
	pass(&f, 1);
	tick(&f);
	assert_string_equal(next(&f, 0)->text, "last (100 of them in 10min)");
	assert_string_equal(next(&f, 0)->event, "a");
	result(&f, 0, NOTIFY_SENT, -1);
	/* It goes on: twice as long. */
	add(&f, "gw", "a", "again");
	assert_int_equal(tick(&f), 2 * NOTIFY_AGAIN_MS);
	pass(&f, 2 * NOTIFY_AGAIN_MS);
	tick(&f);
	assert_string_equal(next(&f, 0)->text, "again (1 of them in 20min)");
	result(&f, 0, NOTIFY_SENT, -1);
	/* Quiet for long enough: it is news again. */
	pass(&f, 4 * NOTIFY_AGAIN_MS);
	assert_int_equal(tick(&f), -1);
	assert_int_equal(add(&f, "gw", "a", "new"), NOTIFY_TAKEN);
	notify_queue_free(f.q);
}

/* ... also when nobody had called tick meanwhile. */
static void
test_quiet_without_tick(void **state)
{
	struct fixture f = begin(two, 1);

	(void)state;
	assert_int_equal(add(&f, "gw", "a", "first"), NOTIFY_TAKEN);
	result(&f, 0, NOTIFY_SENT, -1);
	pass(&f, NOTIFY_AGAIN_MS);
	assert_int_equal(add(&f, "gw", "a", "second"), NOTIFY_TAKEN);
	assert_int_equal(add(&f, "gw", "a", "third"), NOTIFY_COUNTED);
	assert_string_equal(next(&f, 0)->text, "second");
	notify_queue_free(f.q);
}

static void
test_hourly(void **state)
{
	struct fixture f = begin(two, 1);
	char name[32];

	(void)state;
	for (int i = 0; i < NOTIFY_HOURLY + 7; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		assert_int_equal(add(&f, name, "a", "x"), i < NOTIFY_HOURLY ?
		    NOTIFY_TAKEN : NOTIFY_COUNTED);
		pass(&f, S);
	}
	while (next(&f, 0) != NULL)
		result(&f, 0, NOTIFY_SENT, -1);
	assert_int_equal(tick(&f), HOUR - (NOTIFY_HOURLY + 7) * S);
	pass(&f, HOUR - (NOTIFY_HOURLY + 7) * S);
	tick(&f);
	assert_string_equal(next(&f, 0)->text, "7 notifications were "
	    "suppressed: more than 20 in an hour");
	assert_string_equal(next(&f, 0)->source, "");
	result(&f, 0, NOTIFY_SENT, -1);
	assert_null(next(&f, 0));
	notify_queue_free(f.q);
}

/* Full: the oldest of the least severe goes; what is left stands in order. */
static void
test_bounded(void **state)
{
	struct fixture f = begin(two, 1);
	struct notify_event e = { 0, NOTIFY_CRITICAL, "x", "a", "critical" };
	uint64_t last = 0;
	char name[32];

	(void)state;
	notify_queue_add(f.q, &e, f.now);
	for (int i = 0; i < 3 * NOTIFY_MESSAGES_MAX; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		add(&f, name, "a", name);
		pass(&f, HOUR / NOTIFY_HOURLY);
	}
	assert_int_equal(notify_queue_count(f.q), NOTIFY_MESSAGES_MAX);
	assert_true(notify_queue_lost(f.q) > 0);
	assert_string_equal(next(&f, 0)->text, "critical");
	for (size_t i = 0; i < NOTIFY_MESSAGES_MAX; i++) {
		const struct notify_message *m = next(&f, 0);

		assert_true(m->seq > last);
		last = m->seq;
		result(&f, 0, NOTIFY_SENT, -1);
	}
	assert_null(next(&f, 0));
	notify_queue_free(f.q);
}

static void
test_given_up(void **state)
{
	struct fixture f = begin(two, 1);

	(void)state;
	add(&f, "gw", "a", "x");
	assert_int_equal(tick(&f), NOTIFY_LIFE_MS);
	pass(&f, NOTIFY_LIFE_MS - 1);
	tick(&f);
	assert_non_null(next(&f, 0));
	pass(&f, 1);
	tick(&f);
	assert_null(next(&f, 0));
	assert_int_equal(notify_queue_lost(f.q), 1);
	notify_queue_free(f.q);
}

static void
test_known(void **state)
{
	struct fixture f = begin(two, 1);
	struct notify_event e = { 77, NOTIFY_INFO, "gw", "a", "x" };

	(void)state;
	assert_int_equal(notify_queue_add(f.q, &e, f.now), NOTIFY_TAKEN);
	assert_int_equal(notify_queue_add(f.q, &e, f.now), NOTIFY_KNOWN);
	restart(&f, two, 1, S);
	assert_int_equal(notify_queue_add(f.q, &e, f.now), NOTIFY_KNOWN);
	e.id = 78;
	assert_int_equal(notify_queue_add(f.q, &e, f.now), NOTIFY_COUNTED);
	for (uint64_t i = 100; i < 1100; i++) {
		e.id = i;
		assert_int_equal(notify_queue_add(f.q, &e, f.now),
		    NOTIFY_COUNTED);
	}
	assert_int_equal(notify_queue_add(f.q, &e, f.now), NOTIFY_KNOWN);
	notify_queue_free(f.q);
}

static void
test_last_resort(void **state)
{
	struct fixture f = begin(resort, 2);

	(void)state;
	add(&f, "gw", "a", "one");
	assert_int_equal(wait_of(&f, 1), NOTIFY_RESORT_MS);
	result(&f, 0, NOTIFY_SENT, -1);
	assert_int_equal(notify_queue_count(f.q), 0);
	/* Nobody answers: it is worth the money. */
	add(&f, "gw", "b", "two");
	result(&f, 0, NOTIFY_FAILED, -1);
	pass(&f, NOTIFY_RESORT_MS - 1);
	assert_int_equal(wait_of(&f, 1), 1);
	pass(&f, 1);
	assert_string_equal(next(&f, 1)->text, "two");
	result(&f, 1, NOTIFY_SENT, -1);
	assert_int_equal(notify_queue_owed(f.q, 0), 1);
	result(&f, 0, NOTIFY_SENT, -1);
	/* The other never will: at once. */
	add(&f, "gw", "c", "three");
	result(&f, 0, NOTIFY_REFUSED, -1);
	assert_string_equal(next(&f, 1)->text, "three");
	notify_queue_free(f.q);
	/* There is no other. */
	f = begin(resort + 1, 1);
	add(&f, "gw", "c", "three");
	assert_string_equal(next(&f, 0)->text, "three");
	notify_queue_free(f.q);
}

static void
test_restart(void **state)
{
	struct fixture f = begin(two, 2);

	(void)state;
	add(&f, "gw", "a", "caf\303\251 \"quoted\" \\ back");
	add(&f, "sw", "b", "two");
	add(&f, "sw", "b", "counted");
	result(&f, 0, NOTIFY_SENT, -1);
	result(&f, 0, NOTIFY_LATER, HOUR);
	restart(&f, two, 2, 10 * S);
	/* No sooner than in 5 s, and not before it was told to. */
	assert_int_equal(wait_of(&f, 1), NOTIFY_RETRY_MS);
	assert_int_equal(wait_of(&f, 0), HOUR - 10 * S);
	pass(&f, NOTIFY_RETRY_MS);
	assert_string_equal(next(&f, 1)->text,
	    "caf\303\251 \"quoted\" \\ back");
	assert_int_equal(next(&f, 1)->seq, 1);
	assert_int_equal(notify_queue_owed(f.q, 0), 1);
	assert_int_equal(notify_queue_owed(f.q, 1), 2);
	/* What is counted is still told; numbers go on. */
	pass(&f, NOTIFY_AGAIN_MS);
	tick(&f);
	result(&f, 1, NOTIFY_SENT, -1);
	result(&f, 1, NOTIFY_SENT, -1);
	assert_string_equal(next(&f, 1)->text, "counted (1 of them in 10min)");
	assert_int_equal(next(&f, 1)->seq, 3);
	notify_queue_free(f.q);
}

/* Clocks: not set when it was saved, or set back: nothing is given up. */
static void
test_restart_with_odd_clocks(void **state)
{
	struct fixture f = begin(two, 1);

	(void)state;
	f.now.utc_us = 5 * 1000000;	/* 1970 */
	add(&f, "gw", "a", "x");
	restart(&f, two, 1, 1700000000LL * S);
	tick(&f);
	assert_int_equal(notify_queue_count(f.q), 1);
	restart(&f, two, 1, -300LL * 24 * HOUR);
	tick(&f);
	assert_int_equal(notify_queue_count(f.q), 1);
	/* Off for long: it is no news any more. */
	restart(&f, two, 1, 4LL * 24 * HOUR);
	tick(&f);
	assert_int_equal(notify_queue_count(f.q), 0);
	notify_queue_free(f.q);
}

static void
test_sinks_change(void **state)
{
	static const struct notify_queue_sink other[] = {
		{ "hook", false }, { "new", false },
	};
	struct fixture f = begin(two, 2);

	(void)state;
	add(&f, "gw", "a", "one");
	result(&f, 1, NOTIFY_SENT, -1);
	add(&f, "gw", "b", "two");
	notify_queue_set_sinks(f.q, other, 2, f.now.mono);
	/* "one" was owed to a sink that is gone; "two" to hook, now 0. */
	assert_int_equal(notify_queue_count(f.q), 1);
	assert_string_equal(next(&f, 0)->text, "two");
	assert_null(next(&f, 1));
	restart(&f, other + 1, 1, S);
	assert_int_equal(notify_queue_count(f.q), 0);
	notify_queue_free(f.q);
	/* Nobody to tell: nothing is kept. */
	f = begin(two, 0);
	add(&f, "gw", "a", "one");
	assert_int_equal(notify_queue_count(f.q), 0);
	notify_queue_free(f.q);
}

/* What is no text would break headers, terminals and the file. */
static void
test_hostile_text(void **state)
{
	struct fixture f = begin(two, 1);
	char big[3 * NOTIFY_TEXT];

	(void)state;
	add(&f, "g\nw", "a", "x\r\nX-Evil: 1\033[2J \377 \303");
	assert_string_equal(next(&f, 0)->source, "g w");
	assert_string_equal(next(&f, 0)->text, "x \nX-Evil: 1 [2J ? ?");
	result(&f, 0, NOTIFY_SENT, -1);
	for (size_t i = 0; i < sizeof(big) - 1; i++)
		big[i] = i % 2 == 0 ? '\303' : '\251';
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(add(&f, big, "a", big), NOTIFY_TAKEN);
	assert_int_equal(add(&f, big, "a", big), NOTIFY_COUNTED);
	assert_int_equal(strlen(next(&f, 0)->text), NOTIFY_TEXT - 2);
	pass(&f, NOTIFY_AGAIN_MS);
	tick(&f);
	restart(&f, two, 1, S);
	assert_int_equal(notify_queue_count(f.q), 2);
	notify_queue_free(f.q);
}

static void
test_bad_files(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "null", "{}", "{\"format\": \"oobd notify 2\"}",
		"{\"format\": 1}", "\377",
	};
	static const char odd[] = "{\"format\": \"oobd notify 1\", \"seq\": -1,"
	    "\"ids\": 3, \"hour_ms\": [\"x\", -5, 1e99], \"over_hour\": -1,"
	    "\"sinks\": [{}, {\"name\": \"phone\", \"wait_ms\": -1}, 7],"
	    "\"keys\": [{\"source\": 1}, {\"source\": \"a\"}],"
	    "\"messages\": [{}, {\"seq\": 9, \"owed\": [\"phone\"], "
	    "\"source\": \"a\", \"event\": \"b\", \"text\": \"c\"}, 5]}";
	struct fixture f = begin(two, 2);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(notify_queue_load(f.q, bad[i],
		    strlen(bad[i]), f.now), -1);
		assert_int_equal(notify_queue_count(f.q), 0);
	}
	assert_int_equal(notify_queue_load(f.q, odd, sizeof(odd) - 1, f.now),
	    0);
	assert_int_equal(notify_queue_count(f.q), 0);
	assert_int_equal(add(&f, "gw", "a", "x"), NOTIFY_TAKEN);
	notify_queue_free(f.q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_sink_in_order),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_failed_backs_off),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_quiet_without_tick),
		cmocka_unit_test(test_hourly),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_last_resort),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_restart_with_odd_clocks),
		cmocka_unit_test(test_sinks_change),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_bad_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
