#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "uplink.h"

#define PERIOD_MIN_MS 10000
#define PERIOD_MAX_MS 60000

struct uplink {
	const struct uplink_ops *ops;
	void *arg;
	enum uplink_at at;
	int64_t dead_ms;
	struct timer *next;		/* round */
	bool asking;
	bool answered, no_word;
	struct mono answered_at;
	char by[UPLINK_BY];
	struct mono quiet_since;	/* it may have been dead since then */
	struct mono dead_since;
	unsigned bad, good;		/* rounds in a row */
};

static const char *const texts[] = {
	[UPLINK_OFF] = "off",
	[UPLINK_UNKNOWN] = "unknown",
	[UPLINK_ALIVE] = "alive",
	[UPLINK_SILENT] = "silent",
	[UPLINK_DEAD] = "dead",
};

const char *
uplink_text(enum uplink_at at)
{
	return texts[at];
}

static int64_t
period_ms(const struct uplink *u)
{
	int64_t ms = u->dead_ms / 6;

	if (ms < PERIOD_MIN_MS)
		ms = PERIOD_MIN_MS;
	return ms < PERIOD_MAX_MS ? ms : PERIOD_MAX_MS;
}

static void
change_state(struct uplink *u, enum uplink_at to)
{
	u->at = to;
	switch (to) {
	case UPLINK_OFF:
		timer_stop(u->next);
		break;
	case UPLINK_DEAD:
		u->dead_since = mono_now();
		u->good = 0;
		break;
	case UPLINK_UNKNOWN:
	case UPLINK_ALIVE:
		u->bad = 0;
		break;
	case UPLINK_SILENT:
		break;
	}
}

static void
on_next(void *arg)
{
	struct uplink *u = arg;

	timer_set(u->next, period_ms(u));
	if (u->asking)		/* cannot be: rounds are shorter */
		return;
	u->asking = true;
	u->ops->ask(u->arg);
}

static void
answered(struct uplink *u, const char *by)
{
	bool was_dead = u->at == UPLINK_DEAD;

	u->answered = true;
	u->answered_at = mono_now();
	snprintf(u->by, sizeof(u->by), "%s", by);
	if (was_dead && ++u->good < UPLINK_ROUNDS)
		return;
	u->quiet_since = u->answered_at;
	change_state(u, UPLINK_ALIVE);
	if (was_dead)
		u->ops->back(u->arg, mono_ms(u->dead_since, mono_now()));
}

static void
silent(struct uplink *u)
{
	u->good = 0;
	if (u->at == UPLINK_DEAD)
		return;
	u->bad++;
	if (u->bad >= UPLINK_ROUNDS &&
	    mono_ms(u->quiet_since, mono_now()) >= u->dead_ms) {
		change_state(u, UPLINK_DEAD);
		u->ops->dead(u->arg);
	} else if (u->at != UPLINK_SILENT) {
		change_state(u, UPLINK_SILENT);
	}
}

void
uplink_heard(struct uplink *u, enum uplink_word word, const char *by)
{
	if (!u->asking)
		return;
	u->asking = false;
	u->no_word = word == UPLINK_NO_WORD;
	switch (word) {
	case UPLINK_ANSWERED:
		answered(u, by);
		break;
	case UPLINK_NO_ANSWER:
		silent(u);
		break;
	case UPLINK_NO_WORD:
		u->bad = 0;
		if (u->at != UPLINK_DEAD)
			u->quiet_since = mono_now();
		break;
	}
	u->ops->changed(u->arg);
}

struct uplink *
uplink_new(struct loop *loop, const struct uplink_ops *ops, void *arg)
{
	struct uplink *u = xcalloc(1, sizeof(*u));

	u->ops = ops;
	u->arg = arg;
	u->next = timer_new(loop, on_next, u);
	return u;
}

void
uplink_free(struct uplink *u)
{
	if (u == NULL)
		return;
	timer_free(u->next);
	free(u);
}

void
uplink_configure(struct uplink *u, int64_t dead_ms)
{
	u->dead_ms = dead_ms;
	u->asking = u->answered = u->no_word = false;
	u->by[0] = '\0';
	u->good = 0;
	u->quiet_since = mono_now();
	change_state(u, dead_ms > 0 ? UPLINK_UNKNOWN : UPLINK_OFF);
	if (dead_ms > 0)
		timer_set(u->next, 0);
	u->ops->changed(u->arg);
}

void
uplink_resume(struct uplink *u, struct mono dead_since)
{
	if (u->at == UPLINK_OFF)
		return;
	change_state(u, UPLINK_DEAD);
	u->dead_since = u->quiet_since = dead_since;
	u->ops->changed(u->arg);
}

void
uplink_look(const struct uplink *u, struct uplink_look *look)
{
	*look = (struct uplink_look){
		.at = u->at,
		.answered = u->answered,
		.answered_at = u->answered_at,
		.by = u->by,
		.silent_since = u->quiet_since,
		.dead_since = u->dead_since,
		.no_word = u->no_word,
		.good = u->good,
	};
}
