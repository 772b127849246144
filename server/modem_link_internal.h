/* What modem_link.c and modem_link_verb.c share; nobody else. */
#ifndef SERVER_MODEM_LINK_INTERNAL_H
#define SERVER_MODEM_LINK_INTERNAL_H

#include "modem_link.h"
#include "modem_way.h"

struct modem_link {
	struct loop *loop;
	struct feed *feed;
	const struct config *conf;	/* NULL: not yet */
	struct modem_way *way;
	struct linkstate *state;
	struct timer *goodbye;		/* time for the last words to arrive */
	unsigned attached, by_relay;
	struct linkstate_saved saved;	/* in the file; zero: none */
};

/* How many relays of the configuration follow the link. */
unsigned modem_link_followers(const struct modem_link *);

/* This monotonic time by the wall clock, in microseconds. */
int64_t modem_link_utc(struct mono);
/* "2026-11-22 10:30:05 UTC". */
#define MODEM_LINK_WHEN 32
char *modem_link_when(char dst[MODEM_LINK_WHEN], struct mono);

/* " over the existing uplink", or "". */
const char *modem_link_over(const struct modem_link *);

#endif
