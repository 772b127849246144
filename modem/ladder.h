/*
 * ladder: how a modem that went silent is brought back, from the gentlest
 * step to the rudest, each only so often an hour.  Pure: it says what to do.
 */
#ifndef MODEM_LADDER_H
#define MODEM_LADDER_H

#include <stdint.h>

#include "../server/base/clock.h"

enum ladder_step {
	LADDER_RESYNC,		/* ESC, silence, AT */
	LADDER_REOPEN,		/* the ports */
	LADDER_CFUN,		/* radio off and on */
	LADDER_RESET,		/* the modem restarts itself */
	LADDER_USB,		/* the bus resets it */
	LADDER_POWER,		/* somebody's program cuts its power */
	LADDER_STEPS
};

#define LADDER_HOUR_MAX 12	/* the largest budget */

struct ladder;

struct ladder *ladder_new(void);	/* never NULL */
void ladder_free(struct ladder *);	/* NULL is fine */

/*
 * The next step: the lowest above those taken since all was well, among
 * those that are possible (bit 1 << step) and within budget; from the top it
 * begins again at REOPEN.  It counts as taken.  -1: none is left now,
 * *wait_ms until there is one.
 */
int ladder_next(struct ladder *, struct mono now, unsigned possible,
    int64_t *wait_ms);

/* Take this one out of turn, if the budget allows.  0 or -1. */
int ladder_take(struct ladder *, struct mono now, enum ladder_step);

/* All has been well for a while: the next trouble begins at the bottom. */
void ladder_well(struct ladder *);

/* How often it was taken, ever; what it is called in the journal. */
unsigned ladder_count(const struct ladder *, enum ladder_step);
const char *ladder_text(enum ladder_step);

#endif
