#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modem/linkstate.h"

#include "loop_help.h"

/* Short, but longer than a busy machine's hiccup matters here. */
#define HOLD 400
#define LOG 4096

struct bench {
	struct loop *loop;
	struct linkstate *l;
	bool dials, slow_stop, slow_report;	/* how the ops answer */
	unsigned starts, stops, reports, warns, extends, lates;
	int64_t warned_left, by;
	char who[LINKSTATE_WHO];
	char log[LOG];			/* "state state ..." */
	char reported[LINKSTATE_WHY];
	bool told_retry;	/* by the last change */
};

static bool
on_start(void *arg)
{
	struct bench *b = arg;

	b->starts++;
	return !b->dials;
}

static bool
on_stop(void *arg)
{
	struct bench *b = arg;

	b->stops++;
	return !b->slow_stop;
}

static bool
on_report(void *arg, const char *why)
{
	struct bench *b = arg;

	b->reports++;
	snprintf(b->reported, sizeof(b->reported), "%s", why);
	return !b->slow_report;
}

static void
on_changed(void *arg, enum linkstate_at from)
{
	struct bench *b = arg;
	struct linkstate_look s;
	size_t n = strlen(b->log);

	linkstate_look(b->l, &s);
	assert_true(s.at != from || s.at == LINKSTATE_DIALLING);
	b->told_retry = s.retries;
	snprintf(b->log + n, sizeof(b->log) - n, "%s%s", n > 0 ? " " : "",
	    linkstate_text(s.at));
}

static void
on_warn(void *arg, int64_t left_ms)
{
	struct bench *b = arg;

	b->warns++;
	b->warned_left = left_ms;
}

static void
on_extended(void *arg, const char *who, int64_t by_ms)
{
	struct bench *b = arg;

	b->extends++;
	b->by = by_ms;
	snprintf(b->who, sizeof(b->who), "%s", who == NULL ? "-" : who);
}

static void
on_late(void *arg)
{
	struct bench *b = arg;

	b->lates++;
}

static const struct linkstate_ops ops = {
	.start = on_start,
	.stop = on_stop,
	.report = on_report,
	.changed = on_changed,
	.warn = on_warn,
	.extended = on_extended,
	.late = on_late,
};

static const struct linkstate_conf usual = {
	.hold_ms = HOLD,
	.max_hold_ms = 10 * HOLD,
	.warn_ms = 100,
	.relay_ms = 150,
	.retry_min_ms = 50,
	.retry_max_ms = 100,
	.tries = 3,
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->loop = loop_new();
	b->l = linkstate_new(b->loop, &usual, &ops, b);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	linkstate_free(b->l);
	loop_free(b->loop);
	free(b);
	return 0;
}

static enum linkstate_at
at(const struct bench *b)
{
	struct linkstate_look s;

	linkstate_look(b->l, &s);
	return s.at;
}

static int64_t
left(const struct bench *b)
{
	struct linkstate_look s;

	linkstate_look(b->l, &s);
	return s.was_up ? mono_ms(mono_now(), s.until) : -1;
}

#define ASSERT_NEAR(a, b) assert_in_range((a) + 100000, \
    (b) + 100000 - 120, (b) + 100000 + 120)

/* Nothing to dial, no relay follows: up at once, held, down. */
static void
a_hold(void **state)
{
	struct bench *b = *state;

	assert_int_equal(linkstate_up(b->l, 0, "alice", "asked for"),
	    LINKSTATE_DONE);
	assert_string_equal(b->log, "relaying up");
	assert_int_equal(b->starts, 1);
	ASSERT_NEAR(left(b), HOLD);
	loop_for(b->loop, HOLD + 100);
	assert_string_equal(b->log, "relaying up closing reporting idle");
	assert_string_equal(b->reported, "the hold is over");
	assert_int_equal(b->stops, 1);
	assert_int_equal(b->reports, 1);
	assert_int_equal(b->warns, 1);
	ASSERT_NEAR(b->warned_left, 100);
	assert_int_equal(b->extends, 0);
	assert_int_equal(b->lates, 0);
}

/* The warning comes at half the time when that is later. */
static void
a_short_hold(void **state)
{
	struct linkstate_conf c = usual;
	struct bench *b = *state;

	c.warn_ms = 5000;
	linkstate_configure(b->l, &c);
	linkstate_up(b->l, 400, "alice", "asked for");
	loop_for(b->loop, 100);
	assert_int_equal(b->warns, 0);
	loop_for(b->loop, 200);
	assert_int_equal(b->warns, 1);
	assert_true(b->warned_left <= 202);
	assert_int_equal(at(b), LINKSTATE_UP);
}

static void
taken_down(void **state)
{
	struct bench *b = *state;

	assert_int_equal(linkstate_down(b->l, "x"), LINKSTATE_NOT_UP);
	assert_string_equal(b->log, "");
	linkstate_up(b->l, 0, "alice", "asked for");
	b->slow_stop = b->slow_report = true;
	assert_int_equal(linkstate_down(b->l, "bob asked for it"),
	    LINKSTATE_DONE);
	assert_int_equal(at(b), LINKSTATE_CLOSING);
	linkstate_reported(b->l);		/* not its turn */
	assert_int_equal(at(b), LINKSTATE_CLOSING);
	linkstate_closed(b->l);
	assert_int_equal(at(b), LINKSTATE_REPORTING);
	assert_string_equal(b->reported, "bob asked for it");
	linkstate_reported(b->l);
	assert_int_equal(at(b), LINKSTATE_IDLE);
	/* Its timers are off. */
	loop_for(b->loop, HOLD + 50);
	assert_string_equal(b->log, "relaying up closing reporting idle");
	assert_int_equal(b->warns, 0);
}

/* Wanted again while it goes down: it comes up when it is down. */
static void
wanted_while_closing(void **state)
{
	struct bench *b = *state;
	struct linkstate_saved s;

	linkstate_up(b->l, 0, "alice", "asked for");
	b->slow_stop = true;
	linkstate_down(b->l, "alice");
	assert_false(linkstate_save(b->l, &s));
	assert_int_equal(linkstate_up(b->l, 300, "bob", "asked for"),
	    LINKSTATE_DONE);
	assert_true(linkstate_save(b->l, &s));
	assert_int_equal(at(b), LINKSTATE_CLOSING);
	linkstate_closed(b->l);
	assert_string_equal(b->log,
	    "relaying up closing reporting idle relaying up");
	ASSERT_NEAR(left(b), 300);
	/* ... unless somebody changes his mind. */
	linkstate_down(b->l, "alice");
	linkstate_up(b->l, 0, "bob", "asked for");
	linkstate_down(b->l, "alice");
	linkstate_closed(b->l);
	assert_int_equal(at(b), LINKSTATE_IDLE);
	assert_int_equal(b->starts, 2);
}

static void
asked_for_twice(void **state)
{
	struct bench *b = *state;

	linkstate_up(b->l, 0, "alice", "asked for");
	/* Shorter than what is left: nothing changes. */
	assert_int_equal(linkstate_up(b->l, 100, "bob", "asked for"),
	    LINKSTATE_DONE);
	ASSERT_NEAR(left(b), HOLD);
	assert_int_equal(b->extends, 0);
	assert_int_equal(linkstate_up(b->l, 800, "bob", "asked for"),
	    LINKSTATE_DONE);
	ASSERT_NEAR(left(b), 800);
	assert_string_equal(b->who, "bob");
	assert_int_equal(linkstate_up(b->l, 99 * HOLD, "bob", "asked for"),
	    LINKSTATE_CUT);
	ASSERT_NEAR(left(b), 10 * HOLD);
	assert_string_equal(b->log, "relaying up");
}

static void
extended(void **state)
{
	struct linkstate_conf c = usual;
	struct bench *b = *state;

	c.warn_ms = 200;
	linkstate_configure(b->l, &c);
	assert_int_equal(linkstate_extend(b->l, 100, "alice"),
	    LINKSTATE_NOT_UP);
	linkstate_up(b->l, 400, "alice", "asked for");
	loop_for(b->loop, 300);
	assert_int_equal(b->warns, 1);
	assert_int_equal(linkstate_extend(b->l, 400, "bob"), LINKSTATE_DONE);
	assert_int_equal(b->by, 400);
	ASSERT_NEAR(left(b), 500);
	/* Warned of again, once. */
	loop_for(b->loop, 400);
	assert_int_equal(b->warns, 2);
	assert_int_equal(at(b), LINKSTATE_UP);
	assert_int_equal(linkstate_extend(b->l, 100 * HOLD, "bob"),
	    LINKSTATE_CUT);
	assert_int_equal(linkstate_extend(b->l, 1, "bob"),
	    LINKSTATE_AT_MOST);
	ASSERT_NEAR(left(b), 10 * HOLD - 700);
}

/* Someone is attached: held in steps, but not beyond max_hold. */
static void
extended_by_presence(void **state)
{
	struct linkstate_conf c = usual;
	struct bench *b = *state;

	c.max_hold_ms = 800;
	linkstate_configure(b->l, &c);
	linkstate_attached(b->l, 2);
	linkstate_up(b->l, 300, "alice", "asked for");
	loop_for(b->loop, 400);
	assert_int_equal(b->extends, 1);
	assert_string_equal(b->who, "-");
	assert_int_equal(b->by, 300);
	assert_int_equal(at(b), LINKSTATE_UP);
	loop_for(b->loop, 300);
	assert_int_equal(b->extends, 2);
	assert_int_equal(b->by, 200);
	assert_int_equal(at(b), LINKSTATE_UP);
	loop_for(b->loop, 250);
	assert_int_equal(at(b), LINKSTATE_IDLE);
	assert_string_equal(b->reported, "max_hold is over");
	assert_true(b->warns >= 3);
}

static void
not_extended_when_they_left(void **state)
{
	struct bench *b = *state;

	linkstate_attached(b->l, 1);
	linkstate_up(b->l, 200, "alice", "asked for");
	loop_for(b->loop, 100);
	linkstate_attached(b->l, 0);
	loop_for(b->loop, 150);
	assert_int_equal(at(b), LINKSTATE_IDLE);
	assert_int_equal(b->extends, 0);
}

static void
relays_follow(void **state)
{
	struct bench *b = *state;
	struct linkstate_look s;

	linkstate_relays(b->l, 2, false);
	linkstate_up(b->l, 0, "alice", "asked for");
	assert_string_equal(b->log, "relaying");
	linkstate_look(b->l, &s);
	assert_false(s.late);
	loop_for(b->loop, 200);
	assert_int_equal(b->lates, 1);
	linkstate_look(b->l, &s);
	assert_true(s.late);
	assert_non_null(strstr(s.why, "no relay gets through"));
	linkstate_relays(b->l, 2, true);
	linkstate_relays(b->l, 2, true);
	assert_string_equal(b->log, "relaying up");
	linkstate_relays(b->l, 2, false);
	assert_string_equal(b->log, "relaying up relaying");
	/* The hold goes on, and ends, whatever relays do. */
	linkstate_attached(b->l, 1);
	loop_for(b->loop, 300);
	assert_string_equal(b->log,
	    "relaying up relaying closing reporting idle");
	linkstate_relays(b->l, 2, true);
	assert_int_equal(at(b), LINKSTATE_IDLE);
}

static void
dialled(void **state)
{
	struct bench *b = *state;

	b->dials = true;
	linkstate_up(b->l, 0, "alice", "asked for");
	assert_string_equal(b->log, "dialling");
	assert_int_equal(left(b), -1);
	/* The hold does not count yet, but can be made longer. */
	loop_for(b->loop, HOLD + 50);
	assert_int_equal(at(b), LINKSTATE_DIALLING);
	assert_int_equal(linkstate_extend(b->l, 100, "bob"), LINKSTATE_DONE);
	linkstate_came(b->l, LINKSTATE_NEGOTIATING, "CONNECT");
	linkstate_came(b->l, LINKSTATE_DIALLING, "never back");
	linkstate_came(b->l, LINKSTATE_UP, "never so");
	linkstate_came(b->l, LINKSTATE_PROVING, "10.0.0.2");
	linkstate_way_up(b->l, "proven");
	linkstate_way_up(b->l, "twice");
	assert_string_equal(b->log, "dialling negotiating proving relaying "
	    "up");
	ASSERT_NEAR(left(b), HOLD + 100);
}

static void
tried_again(void **state)
{
	struct bench *b = *state;
	struct linkstate_look s;

	b->dials = true;
	linkstate_up(b->l, 0, "alice", "asked for");
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(b->starts, i);
		assert_int_equal(at(b), LINKSTATE_DIALLING);
		linkstate_look(b->l, &s);
		assert_int_equal(s.tries, i);
		linkstate_way_failed(b->l, "E-REG no network");
		linkstate_look(b->l, &s);
		assert_int_equal(s.retries, i < 3);
		if (i < 3) {
			assert_int_equal(s.at, LINKSTATE_FAILED);
			assert_true(b->told_retry);
		}
		loop_for(b->loop, 150);
	}
	assert_string_equal(b->log, "dialling failed dialling failed dialling "
	    "failed reporting idle");
	assert_string_equal(b->reported, "E-REG no network");
	assert_int_equal(b->starts, 3);
	assert_int_equal(b->stops, 0);	/* nothing was left to stop */
	linkstate_way_failed(b->l, "E-DEAD too late");
	assert_int_equal(at(b), LINKSTATE_IDLE);
}

/* Who asks again does not wait; who has enough need not either. */
static void
asked_while_waiting(void **state)
{
	struct bench *b = *state;

	b->dials = true;
	linkstate_up(b->l, 0, "alice", "asked for");
	linkstate_way_failed(b->l, "E-PDP");
	linkstate_up(b->l, 0, "bob", "asked for");
	assert_int_equal(b->starts, 2);
	assert_int_equal(at(b), LINKSTATE_DIALLING);
	linkstate_way_failed(b->l, "E-PDP");
	linkstate_down(b->l, "bob asked for it");
	assert_int_equal(at(b), LINKSTATE_IDLE);
	loop_for(b->loop, 200);
	assert_int_equal(b->starts, 2);
}

/* Lost midway: dialled anew, and the end stays where it was. */
static void
lost_midway(void **state)
{
	struct bench *b = *state;
	int64_t before;

	b->dials = true;
	linkstate_up(b->l, 0, "alice", "asked for");
	linkstate_way_up(b->l, "proven");
	loop_for(b->loop, 100);
	before = left(b);
	linkstate_way_failed(b->l, "E-DEAD no carrier");
	assert_int_equal(at(b), LINKSTATE_FAILED);
	loop_for(b->loop, 80);
	assert_int_equal(at(b), LINKSTATE_DIALLING);
	ASSERT_NEAR(left(b), before - 80);
	linkstate_way_up(b->l, "proven");
	ASSERT_NEAR(left(b), before - 80);
	assert_string_equal(b->log, "dialling relaying up failed dialling "
	    "relaying up");
	/* Lost again, and the hold ends while it is dialled. */
	linkstate_way_failed(b->l, "E-DEAD no carrier");
	loop_for(b->loop, 400);
	assert_int_equal(at(b), LINKSTATE_IDLE);
	assert_string_equal(b->reported, "the hold is over");
	assert_int_equal(b->stops, 1);
}

static void
resumed(void **state)
{
	struct bench *b = *state;
	struct linkstate_saved s, again;

	assert_false(linkstate_save(b->l, &s));
	linkstate_up(b->l, 300, "alice", "asked for");
	assert_true(linkstate_save(b->l, &s));
	assert_string_equal(s.who, "alice");
	linkstate_free(b->l);
	b->log[0] = '\0';
	loop_for(b->loop, 100);
	b->l = linkstate_new(b->loop, &usual, &ops, b);
	assert_true(linkstate_resume(b->l, &s));
	assert_string_equal(b->log, "relaying up");
	ASSERT_NEAR(left(b), 200);
	assert_true(linkstate_save(b->l, &again));
	assert_memory_equal(&s, &again, sizeof(s));
	/* max_hold counts from the first of them. */
	assert_int_equal(linkstate_extend(b->l, 100 * HOLD, "bob"),
	    LINKSTATE_CUT);
	ASSERT_NEAR(left(b), 10 * HOLD - 100);
	assert_false(linkstate_resume(b->l, &s));
	linkstate_down(b->l, "x");
	s.until = mono_after(mono_now(), -5);
	assert_false(linkstate_resume(b->l, &s));
	assert_int_equal(at(b), LINKSTATE_IDLE);
}

static void
resumed_while_dialling(void **state)
{
	struct bench *b = *state;
	struct linkstate_saved s;

	b->dials = true;
	linkstate_up(b->l, 300, "alice", "asked for");
	assert_true(linkstate_save(b->l, &s));
	linkstate_down(b->l, "x");
	assert_true(linkstate_resume(b->l, &s));
	assert_int_equal(at(b), LINKSTATE_DIALLING);
	linkstate_way_up(b->l, "proven");
	ASSERT_NEAR(left(b), 300);
	assert_true(linkstate_save(b->l, &s));
	linkstate_down(b->l, "x");
	assert_true(linkstate_resume(b->l, &s));
	/* The end is absolute: it does not wait for the way. */
	loop_for(b->loop, 400);
	assert_int_equal(at(b), LINKSTATE_IDLE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_hold),
		T(a_short_hold),
		T(taken_down),
		T(wanted_while_closing),
		T(asked_for_twice),
		T(extended),
		T(extended_by_presence),
		T(not_extended_when_they_left),
		T(relays_follow),
		T(dialled),
		T(tried_again),
		T(asked_while_waiting),
		T(lost_midway),
		T(resumed),
		T(resumed_while_dialling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
