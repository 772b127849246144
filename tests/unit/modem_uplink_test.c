#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modem/uplink.h"

#include "loop_help.h"
#include "virtual_time.h"

#define MINUTE 60000
#define DEAD (10 * MINUTE)

struct bench {
	struct loop *loop;
	struct timer *reply;
	struct uplink *u;
	enum uplink_word word;		/* what each round brings */
	bool mute;			/* no outcome at all */
	unsigned asked, dead, back, changed;
	int64_t dead_at, back_ms;
};

static int64_t
now_ms(void)
{
	return mono_now().us / 1000;
}

static void
on_ask(void *arg)
{
	struct bench *b = arg;

	b->asked++;
	if (!b->mute)
		timer_set(b->reply, 50);
}

static void
on_reply(void *arg)
{
	struct bench *b = arg;

	uplink_heard(b->u, b->word, b->word == UPLINK_ANSWERED ? "a:1" : "");
}

static void
on_dead(void *arg)
{
	struct bench *b = arg;

	b->dead++;
	b->dead_at = now_ms();
}

static void
on_back(void *arg, int64_t ms)
{
	struct bench *b = arg;

	b->back++;
	b->back_ms = ms;
}

static void
on_changed(void *arg)
{
	struct bench *b = arg;

	b->changed++;
}

static const struct uplink_ops ops = {
	.ask = on_ask,
	.dead = on_dead,
	.back = on_back,
	.changed = on_changed,
};

static void
with(struct bench *b, enum uplink_word word, int64_t ms)
{
	b->word = word;
	loop_for(b->loop, ms);
}

static struct uplink_look
look(const struct bench *b)
{
	struct uplink_look l;

	uplink_look(b->u, &l);
	return l;
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->loop = loop_new();
	b->reply = timer_new(b->loop, on_reply, b);
	b->u = uplink_new(b->loop, &ops, b);
	b->word = UPLINK_ANSWERED;
	uplink_configure(b->u, DEAD);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	uplink_free(b->u);
	timer_free(b->reply);
	loop_free(b->loop);
	free(b);
	return 0;
}

static void
test_dead_once_and_back(void **state)
{
	struct bench *b = *state;
	int64_t silent_from;

	assert_int_equal(look(b).at, UPLINK_UNKNOWN);
	assert_false(look(b).answered);
	with(b, UPLINK_ANSWERED, 5 * MINUTE);
	assert_int_equal(look(b).at, UPLINK_ALIVE);
	assert_string_equal(look(b).by, "a:1");
	silent_from = look(b).answered_at.us / 1000;
	with(b, UPLINK_NO_ANSWER, 9 * MINUTE);
	assert_int_equal(look(b).at, UPLINK_SILENT);
	assert_int_equal(look(b).silent_since.us / 1000, silent_from);
	assert_int_equal(b->dead, 0);
	loop_for(b->loop, 2 * MINUTE);
	assert_int_equal(look(b).at, UPLINK_DEAD);
	assert_int_equal(b->dead, 1);
	/* Not before its time, and at the next round. */
	assert_true(b->dead_at - silent_from >= DEAD);
	assert_true(b->dead_at - silent_from <= DEAD + MINUTE + 100);
	assert_int_equal(look(b).dead_since.us / 1000, b->dead_at);
	/* However long it lasts. */
	loop_for(b->loop, 48 * 60 * MINUTE);
	assert_int_equal(b->dead, 1);
	assert_int_equal(b->back, 0);
	with(b, UPLINK_ANSWERED, MINUTE + 1000);
	assert_int_equal(look(b).at, UPLINK_DEAD);
	assert_in_range(look(b).good, 1, 2);
	loop_for(b->loop, 2 * MINUTE);
	assert_int_equal(look(b).at, UPLINK_ALIVE);
	assert_int_equal(b->back, 1);
	assert_true(b->back_ms > 48 * 60 * MINUTE);
	/* And again, as long as the first time. */
	with(b, UPLINK_NO_ANSWER, 9 * MINUTE);
	assert_int_equal(b->dead, 1);
	loop_for(b->loop, 2 * MINUTE);
	assert_int_equal(b->dead, 2);
}

static void
test_one_answer_is_enough(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 20; i++) {
		with(b, UPLINK_NO_ANSWER, 8 * MINUTE);
		with(b, UPLINK_ANSWERED, MINUTE);
	}
	assert_int_equal(b->dead, 0);
}

/* It comes and goes, never for three rounds: one outage. */
static void
test_flapping(void **state)
{
	struct bench *b = *state;

	with(b, UPLINK_NO_ANSWER, 12 * MINUTE);
	assert_int_equal(b->dead, 1);
	for (int i = 0; i < 50; i++) {
		with(b, UPLINK_ANSWERED, 2 * MINUTE);
		with(b, UPLINK_NO_ANSWER, 11 * MINUTE);
	}
	assert_int_equal(b->dead, 1);
	assert_int_equal(b->back, 0);
}

/* Never heard of since the start: after its time, too. */
static void
test_dead_from_the_start(void **state)
{
	struct bench *b = *state;

	with(b, UPLINK_NO_ANSWER, 9 * MINUTE);
	assert_int_equal(b->dead, 0);
	loop_for(b->loop, 2 * MINUTE);
	assert_int_equal(b->dead, 1);
	assert_false(look(b).answered);
}

/* The process was stopped for a day: it finds out before it acts. */
static void
test_slept(void **state)
{
	struct bench *b = *state;
	int64_t woke;

	with(b, UPLINK_ANSWERED, 5 * MINUTE);
	virtual_us += INT64_C(24) * 3600 * 1000000;
	with(b, UPLINK_ANSWERED, MINUTE + MINUTE / 2);	/* none is under way */
	assert_int_equal(b->dead, 0);
	virtual_us += INT64_C(24) * 3600 * 1000000;
	woke = now_ms();
	with(b, UPLINK_NO_ANSWER, 5 * MINUTE);
	assert_int_equal(b->dead, 1);
	/* Three rounds, a minute from one to the next. */
	assert_true(b->dead_at - woke >= 2 * MINUTE);
}

/* Questions that went elsewhere: no answer, no silence, and it begins anew. */
static void
test_no_word(void **state)
{
	struct bench *b = *state;

	with(b, UPLINK_ANSWERED, 5 * MINUTE);
	with(b, UPLINK_NO_WORD, 60 * MINUTE);
	assert_int_equal(look(b).at, UPLINK_ALIVE);
	assert_true(look(b).no_word);
	assert_int_equal(b->dead, 0);
	with(b, UPLINK_NO_ANSWER, 9 * MINUTE);
	assert_false(look(b).no_word);
	assert_int_equal(b->dead, 0);
	loop_for(b->loop, 2 * MINUTE);
	assert_int_equal(b->dead, 1);
	/* Dead it stays, as long as nothing is known. */
	with(b, UPLINK_NO_WORD, 60 * MINUTE);
	assert_int_equal(look(b).at, UPLINK_DEAD);
	with(b, UPLINK_NO_ANSWER, 60 * MINUTE);
	assert_int_equal(b->dead, 1);
}

/* A minute at least: rounds of 10 s; a week at most: still every minute. */
static void
test_rounds(void **state)
{
	struct bench *b = *state;

	uplink_configure(b->u, MINUTE);
	b->asked = 0;
	with(b, UPLINK_ANSWERED, 10 * MINUTE - 1);
	assert_int_equal(b->asked, 60);
	uplink_configure(b->u, INT64_C(7) * 24 * 60 * MINUTE);
	b->asked = 0;
	with(b, UPLINK_ANSWERED, 10 * MINUTE - 1);
	assert_int_equal(b->asked, 10);
	with(b, UPLINK_NO_ANSWER, INT64_C(6) * 24 * 60 * MINUTE);
	assert_int_equal(b->dead, 0);
	loop_for(b->loop, INT64_C(24) * 60 * MINUTE + MINUTE);
	assert_int_equal(b->dead, 1);
	/* Who never says how a round ended is not asked twice. */
	b->mute = true;
	loop_for(b->loop, MINUTE);
	b->asked = 0;
	loop_for(b->loop, 10 * MINUTE);
	assert_int_equal(b->asked, 0);
}

static void
test_off_and_anew(void **state)
{
	struct bench *b = *state;

	with(b, UPLINK_NO_ANSWER, 9 * MINUTE);
	uplink_configure(b->u, 0);
	assert_int_equal(look(b).at, UPLINK_OFF);
	b->asked = 0;
	loop_for(b->loop, 60 * MINUTE);
	assert_int_equal(b->asked, 0);
	assert_int_equal(b->dead, 0);
	uplink_resume(b->u, mono_now());
	assert_int_equal(look(b).at, UPLINK_OFF);
	uplink_configure(b->u, DEAD);
	loop_for(b->loop, 9 * MINUTE);
	assert_int_equal(b->dead, 0);
	loop_for(b->loop, 2 * MINUTE);
	assert_int_equal(b->dead, 1);
}

/* A process that comes after one that told it. */
static void
test_resume(void **state)
{
	struct bench *b = *state;
	struct mono since = mono_after(mono_now(), -30 * MINUTE);

	uplink_resume(b->u, since);
	assert_int_equal(look(b).at, UPLINK_DEAD);
	assert_int_equal(look(b).dead_since.us, since.us);
	with(b, UPLINK_NO_ANSWER, 60 * MINUTE);
	assert_int_equal(b->dead, 0);
	with(b, UPLINK_ANSWERED, 4 * MINUTE);
	assert_int_equal(b->back, 1);
	assert_true(b->back_ms > 90 * MINUTE);
	with(b, UPLINK_NO_ANSWER, 12 * MINUTE);
	assert_int_equal(b->dead, 1);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_dead_once_and_back),
		TEST(test_one_answer_is_enough),
		TEST(test_flapping),
		TEST(test_dead_from_the_start),
		TEST(test_slept),
		TEST(test_no_word),
		TEST(test_rounds),
		TEST(test_off_and_anew),
		TEST(test_resume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
