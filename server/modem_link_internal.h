/* What modem_link.c and modem_link_verb.c share; nobody else. */
#ifndef SERVER_MODEM_LINK_INTERNAL_H
#define SERVER_MODEM_LINK_INTERNAL_H

#include "modem_dial.h"
#include "modem_link.h"
#include "modem_way.h"

struct modem_link {
	struct modem *m;
	struct loop *loop;
	struct feed *feed;
	const struct config *conf;	/* NULL: not yet */
	struct modem_way *way;
	struct linkstate *state;
	struct timer *goodbye;		/* time for the last words to arrive */
	struct timer *report;		/* time for the report to be sent */
	unsigned attached, by_relay;
	struct modem_link_how how;
	struct modem_link_failure failure;
	struct linkstate_saved saved;	/* in the file; zero: none */
};

/* modem_link_way.c: what brings a way up and lets it go. */
extern const struct modem_dial_ops modem_link_dial_ops;
bool modem_link_start(void *link);
bool modem_link_stop(void *link);
void modem_link_on_goodbye(void *link);
void modem_link_let_go(struct modem_link *);
/* PPP lasts so long even if we do not. */
void modem_link_set_life(struct modem_link *);
/* Relays changed: is the way proven by that? */
void modem_link_prove(struct modem_link *);

/* modem_link.c */
void modem_link_event(struct modem_link *, const char *kind,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* As it may stand between quotes in an event. */
#define MODEM_LINK_VALUE 200
const char *modem_link_value(char dst[MODEM_LINK_VALUE], const char *);
/* The first that follows and is through, NULL: none. */
const struct modem_relay *modem_link_through(const struct modem_link *);

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
