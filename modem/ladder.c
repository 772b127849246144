#include <stdlib.h>

#include "../server/base/mem.h"
#include "ladder.h"

#define HOUR_MS (60 * 60 * 1000)

static const struct {
	const char *text;
	unsigned budget;	/* an hour, at most LADDER_HOUR_MAX */
} steps[LADDER_STEPS] = {
	[LADDER_RESYNC] = { "resynchronise", 12 },
	[LADDER_REOPEN] = { "reopen the ports", 12 },
	[LADDER_CFUN] = { "radio off and on", 1 },
	[LADDER_RESET] = { "restart the modem", 2 },
	[LADDER_USB] = { "USB reset", 2 },
	[LADDER_POWER] = { "cycle its power", 1 },
};

struct ladder {
	int at;			/* the last one taken, -1: none */
	struct {
		struct mono when[LADDER_HOUR_MAX];	/* newest last */
		unsigned n;
		unsigned count;
	} taken[LADDER_STEPS];
};

struct ladder *
ladder_new(void)
{
	struct ladder *l = xcalloc(1, sizeof(*l));

	l->at = -1;
	return l;
}

void
ladder_free(struct ladder *l)
{
	free(l);
}

/* Milliseconds until it may be taken again; forgets what is older. */
static int64_t
wait_for(struct ladder *l, struct mono now, int step)
{
	unsigned keep = 0;

	for (unsigned i = 0; i < l->taken[step].n; i++)
		if (mono_ms(l->taken[step].when[i], now) < HOUR_MS)
			l->taken[step].when[keep++] = l->taken[step].when[i];
	l->taken[step].n = keep;
	if (keep < steps[step].budget)
		return 0;
	return HOUR_MS - mono_ms(l->taken[step].when[0], now);
}

static void
note(struct ladder *l, struct mono now, int step)
{
	l->taken[step].when[l->taken[step].n++] = now;
	l->taken[step].count++;
}

int
ladder_next(struct ladder *l, struct mono now, unsigned possible,
    int64_t *wait_ms)
{
	int64_t wait;
	int step;

	*wait_ms = HOUR_MS;
	/* Up from where we are; then once more from the ports on. */
	for (int i = l->at + 1; i < LADDER_STEPS + LADDER_STEPS - 1; i++) {
		step = i < LADDER_STEPS ? i : i - LADDER_STEPS +
		    LADDER_REOPEN;
		if ((possible & 1u << step) == 0)
			continue;
		wait = wait_for(l, now, step);
		if (wait > 0) {
			if (wait < *wait_ms)
				*wait_ms = wait;
			continue;
		}
		note(l, now, step);
		l->at = step;
		return step;
	}
	return -1;
}

int
ladder_take(struct ladder *l, struct mono now, enum ladder_step step)
{
	if (wait_for(l, now, (int)step) > 0)
		return -1;
	note(l, now, (int)step);
	return 0;
}

void
ladder_well(struct ladder *l)
{
	l->at = -1;
}

unsigned
ladder_count(const struct ladder *l, enum ladder_step step)
{
	return l->taken[step].count;
}

const char *
ladder_text(enum ladder_step step)
{
	return steps[step].text;
}
