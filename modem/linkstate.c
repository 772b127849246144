#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "linkstate.h"

struct linkstate {
	struct loop *loop;
	struct linkstate_conf conf;
	const struct linkstate_ops *ops;
	void *arg;
	enum linkstate_at at;
	struct mono since;
	char who[LINKSTATE_WHO], why[LINKSTATE_WHY];
	int64_t hold_ms;
	bool was_up;			/* until and first_up are set */
	struct mono until, first_up;
	unsigned tries;
	struct backoff retry;
	bool retries;
	struct mono retry_at;
	unsigned follow, attached;
	bool through, late;
	bool again;			/* wanted while it was going down */
	struct timer *end, *warn;
	struct timer *step;		/* of a state: late, try again */
};

static const char *const texts[] = {
	[LINKSTATE_IDLE] = "idle",
	[LINKSTATE_DIALLING] = "dialling",
	[LINKSTATE_NEGOTIATING] = "negotiating",
	[LINKSTATE_PROVING] = "proving",
	[LINKSTATE_RELAYING] = "relaying",
	[LINKSTATE_UP] = "up",
	[LINKSTATE_CLOSING] = "closing",
	[LINKSTATE_REPORTING] = "reporting",
	[LINKSTATE_FAILED] = "failed",
};

const char *
linkstate_text(enum linkstate_at at)
{
	return texts[at];
}

static int64_t
min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
left_ms(const struct linkstate *l)
{
	return mono_ms(mono_now(), l->until);
}

static struct mono
until_max(const struct linkstate *l)
{
	return mono_after(l->first_up, l->conf.max_hold_ms);
}

/* There is a way, whether or not a relay is through. */
static bool
has_way(const struct linkstate *l)
{
	return l->at == LINKSTATE_RELAYING || l->at == LINKSTATE_UP;
}

/* The end and its warning, after either moved. */
static void
set_end(struct linkstate *l)
{
	int64_t left = left_ms(l);

	timer_set(l->end, left > 0 ? left : 0);
	timer_stop(l->warn);
	if (left > 1)
		timer_set(l->warn, left - min64(l->conf.warn_ms, left / 2));
}

/* Whoever is told that it failed is told when it is tried again. */
static void
plan_retry(struct linkstate *l)
{
	int64_t wait;

	if (l->tries >= l->conf.tries)
		return;
	wait = backoff_next(&l->retry);
	l->retries = true;
	l->retry_at = mono_after(mono_now(), wait);
	timer_set(l->step, wait);
}

/*
 * Every change of state is made here.  The timers that belong to the state
 * left are stopped; the end goes on as long as a way is there, or tried.
 */
static void
change_state(struct linkstate *l, enum linkstate_at to, const char *why)
{
	enum linkstate_at from = l->at;

	l->at = to;
	l->since = mono_now();
	if (why != l->why)
		snprintf(l->why, sizeof(l->why), "%s", why);
	l->retries = l->late = false;
	timer_stop(l->step);
	switch (to) {
	case LINKSTATE_RELAYING:
		timer_set(l->step, l->conf.relay_ms);
		break;
	case LINKSTATE_DIALLING:
	case LINKSTATE_NEGOTIATING:
	case LINKSTATE_PROVING:
	case LINKSTATE_UP:
		break;
	case LINKSTATE_FAILED:
		timer_stop(l->warn);
		plan_retry(l);
		break;
	case LINKSTATE_IDLE:
	case LINKSTATE_CLOSING:
	case LINKSTATE_REPORTING:
		timer_stop(l->end);
		timer_stop(l->warn);
		l->was_up = false;
		break;
	}
	l->ops->changed(l->arg, from);
}

/* Moves between relaying and up. */
static void
look_at_relays(struct linkstate *l)
{
	bool enough = l->follow == 0 || l->through;

	if (l->at == LINKSTATE_RELAYING && enough)
		change_state(l, LINKSTATE_UP, l->follow == 0 ?
		    "no relay follows the link" : "a relay is through");
	else if (l->at == LINKSTATE_UP && !enough)
		change_state(l, LINKSTATE_RELAYING, "no relay is through "
		    "any more");
}

static void
have_way(struct linkstate *l, const char *why)
{
	if (!l->was_up) {
		l->was_up = true;
		l->first_up = mono_now();
		l->until = mono_after(l->first_up, l->hold_ms);
	}
	l->tries = 0;
	backoff_reset(&l->retry);
	change_state(l, LINKSTATE_RELAYING, why);
	set_end(l);
	look_at_relays(l);
}

static void
try(struct linkstate *l, const char *why)
{
	char copy[LINKSTATE_WHY];

	snprintf(copy, sizeof(copy), "%s", why);
	l->tries++;
	if (l->ops->start(l->arg))
		have_way(l, copy);
	else
		change_state(l, LINKSTATE_DIALLING, copy);
}

static void
begin(struct linkstate *l, const char *why)
{
	l->tries = 0;
	l->again = false;
	l->retry = (struct backoff){ .min_ms = l->conf.retry_min_ms,
	    .max_ms = l->conf.retry_max_ms };
	try(l, why);
}

/* Idle again: everything of the activation is over. */
static void
rest(struct linkstate *l)
{
	if (!l->again)
		l->who[0] = '\0';
	l->tries = 0;
	change_state(l, LINKSTATE_IDLE, l->why);
	if (l->again)
		begin(l, "asked for again");
}

static void
report(struct linkstate *l, const char *why)
{
	change_state(l, LINKSTATE_REPORTING, why);
	if (l->ops->report(l->arg, l->why))
		rest(l);
}

static void
take_down(struct linkstate *l, const char *why)
{
	/* Nothing is left of a way that failed. */
	if (l->at == LINKSTATE_FAILED) {
		report(l, why);
		return;
	}
	change_state(l, LINKSTATE_CLOSING, why);
	if (l->ops->stop(l->arg))
		report(l, l->why);
}

/* Later by ms, as far as that goes; who NULL: by itself. */
static enum linkstate_answer
move_end(struct linkstate *l, int64_t ms, const char *who)
{
	int64_t room = mono_ms(l->until, until_max(l));
	bool cut = ms > room;

	if (room <= 0)
		return LINKSTATE_AT_MOST;
	ms = min64(ms, room);
	l->until = mono_after(l->until, ms);
	if (has_way(l))
		set_end(l);
	else
		timer_set(l->end, left_ms(l) > 0 ? left_ms(l) : 0);
	l->ops->extended(l->arg, who, ms);
	return cut ? LINKSTATE_CUT : LINKSTATE_DONE;
}

static void
on_end(void *arg)
{
	struct linkstate *l = arg;
	bool most = mono_ms(l->until, until_max(l)) <= 0;

	if (left_ms(l) > 0) {		/* woken a little early */
		timer_set(l->end, left_ms(l));
		return;
	}
	if (l->at == LINKSTATE_UP && l->attached > 0 &&
	    move_end(l, l->hold_ms, NULL) != LINKSTATE_AT_MOST)
		return;
	take_down(l, most ? "max_hold is over" : "the hold is over");
}

static void
on_warn(void *arg)
{
	struct linkstate *l = arg;

	if (has_way(l))
		l->ops->warn(l->arg, left_ms(l));
}

static void
on_step(void *arg)
{
	struct linkstate *l = arg;

	if (l->at == LINKSTATE_FAILED) {
		try(l, "trying again");
	} else if (l->at == LINKSTATE_RELAYING) {
		l->late = true;
		snprintf(l->why, sizeof(l->why), "no relay gets through; "
		    "going on until the hold is over");
		l->ops->late(l->arg);
	}
}

struct linkstate *
linkstate_new(struct loop *loop, const struct linkstate_conf *conf,
    const struct linkstate_ops *ops, void *arg)
{
	struct linkstate *l = xcalloc(1, sizeof(*l));

	l->loop = loop;
	l->conf = *conf;
	l->ops = ops;
	l->arg = arg;
	l->since = mono_now();
	l->end = timer_new(loop, on_end, l);
	l->warn = timer_new(loop, on_warn, l);
	l->step = timer_new(loop, on_step, l);
	return l;
}

void
linkstate_free(struct linkstate *l)
{
	if (l == NULL)
		return;
	timer_free(l->end);
	timer_free(l->warn);
	timer_free(l->step);
	free(l);
}

void
linkstate_configure(struct linkstate *l, const struct linkstate_conf *conf)
{
	l->conf = *conf;
}

/* It is wanted for ms from when it is up, at least. */
static enum linkstate_answer
hold_for(struct linkstate *l, int64_t ms, bool anew)
{
	int64_t most = min64(ms, l->conf.max_hold_ms);

	if (anew || most > l->hold_ms)
		l->hold_ms = most;
	return most < ms ? LINKSTATE_CUT : LINKSTATE_DONE;
}

/* It is up: until ms from now at least. */
static enum linkstate_answer
last_until(struct linkstate *l, int64_t ms, const char *who)
{
	int64_t more = ms - left_ms(l);

	return more > 0 ? move_end(l, more, who) : LINKSTATE_DONE;
}

enum linkstate_answer
linkstate_up(struct linkstate *l, int64_t ms, const char *who, const char *why)
{
	enum linkstate_answer answer = LINKSTATE_DONE;
	bool anew = l->at == LINKSTATE_IDLE || l->at == LINKSTATE_CLOSING ||
	    l->at == LINKSTATE_REPORTING;

	if (ms == 0)
		ms = l->conf.hold_ms;
	if (anew && !l->again)
		snprintf(l->who, sizeof(l->who), "%s", who);
	answer = l->was_up ? last_until(l, ms, who) :
	    hold_for(l, ms, anew && !l->again);
	switch (l->at) {
	case LINKSTATE_IDLE:
		begin(l, why);
		break;
	case LINKSTATE_CLOSING:
	case LINKSTATE_REPORTING:
		l->again = true;
		break;
	case LINKSTATE_FAILED:
		begin(l, why);
		break;
	case LINKSTATE_DIALLING:
	case LINKSTATE_NEGOTIATING:
	case LINKSTATE_PROVING:
	case LINKSTATE_RELAYING:
	case LINKSTATE_UP:
		break;
	}
	return answer;
}

enum linkstate_answer
linkstate_extend(struct linkstate *l, int64_t ms, const char *who)
{
	if (l->was_up)
		return move_end(l, ms, who);
	if (l->at == LINKSTATE_IDLE || l->at == LINKSTATE_CLOSING ||
	    l->at == LINKSTATE_REPORTING)
		return LINKSTATE_NOT_UP;
	if (l->hold_ms >= l->conf.max_hold_ms)
		return LINKSTATE_AT_MOST;
	return hold_for(l, l->hold_ms + ms, false);
}

void
linkstate_hand_over(struct linkstate *l, const char *who)
{
	if (l->who[0] != '\0')
		snprintf(l->who, sizeof(l->who), "%s", who);
}

enum linkstate_answer
linkstate_down(struct linkstate *l, const char *why)
{
	l->again = false;
	switch (l->at) {
	case LINKSTATE_IDLE:
		return LINKSTATE_NOT_UP;
	case LINKSTATE_CLOSING:
	case LINKSTATE_REPORTING:
		break;
	case LINKSTATE_DIALLING:
	case LINKSTATE_NEGOTIATING:
	case LINKSTATE_PROVING:
	case LINKSTATE_RELAYING:
	case LINKSTATE_UP:
	case LINKSTATE_FAILED:
		take_down(l, why);
		break;
	}
	return LINKSTATE_DONE;
}

/* The way is being made. */
static bool
is_coming(const struct linkstate *l)
{
	return l->at == LINKSTATE_DIALLING || l->at == LINKSTATE_NEGOTIATING ||
	    l->at == LINKSTATE_PROVING;
}

void
linkstate_came(struct linkstate *l, enum linkstate_at to, const char *why)
{
	if (is_coming(l) && to > l->at && to <= LINKSTATE_PROVING)
		change_state(l, to, why);
}

void
linkstate_way_up(struct linkstate *l, const char *why)
{
	if (is_coming(l))
		have_way(l, why);
}

void
linkstate_way_failed(struct linkstate *l, const char *reason)
{
	if (!is_coming(l) && !has_way(l))
		return;
	change_state(l, LINKSTATE_FAILED, reason);
	if (!l->retries)
		report(l, l->why);
}

void
linkstate_closed(struct linkstate *l)
{
	if (l->at == LINKSTATE_CLOSING)
		report(l, l->why);
}

void
linkstate_reported(struct linkstate *l)
{
	if (l->at == LINKSTATE_REPORTING)
		rest(l);
}

void
linkstate_relays(struct linkstate *l, unsigned follow, bool through)
{
	l->follow = follow;
	l->through = through;
	look_at_relays(l);
}

void
linkstate_attached(struct linkstate *l, unsigned n)
{
	l->attached = n;
}

bool
linkstate_save(const struct linkstate *l, struct linkstate_saved *s)
{
	bool going = l->at != LINKSTATE_IDLE && l->at != LINKSTATE_CLOSING &&
	    l->at != LINKSTATE_REPORTING;

	if (!going && !l->again)
		return false;
	memset(s, 0, sizeof(*s));
	memcpy(s->who, l->who, sizeof(s->who));
	s->hold_ms = l->hold_ms;
	s->was_up = l->was_up;
	if (l->was_up) {
		s->until = l->until;
		s->first_up = l->first_up;
	}
	return true;
}

bool
linkstate_resume(struct linkstate *l, const struct linkstate_saved *s)
{
	if (l->at != LINKSTATE_IDLE || (s->was_up &&
	    mono_ms(mono_now(), s->until) <= 0))
		return false;
	memcpy(l->who, s->who, sizeof(l->who));
	l->who[sizeof(l->who) - 1] = '\0';
	l->hold_ms = s->hold_ms;
	l->was_up = s->was_up;
	l->until = s->until;
	l->first_up = s->first_up;
	begin(l, "resumed after a restart");
	/* Also while it is dialled anew. */
	if (l->was_up && !has_way(l))
		timer_set(l->end, left_ms(l) > 0 ? left_ms(l) : 0);
	return true;
}

void
linkstate_look(const struct linkstate *l, struct linkstate_look *look)
{
	*look = (struct linkstate_look){
		.at = l->at,
		.since = l->since,
		.was_up = l->was_up,
		.hold_ms = l->hold_ms,
		.retries = l->retries,
		.retry_at = l->retry_at,
		.tries = l->tries,
		.late = l->late,
		.who = l->who,
		.why = l->why,
	};
	if (l->was_up) {
		look->until = l->until;
		look->until_max = until_max(l);
	}
}
