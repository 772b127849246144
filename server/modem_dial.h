/*
 * modem_dial: the way out over PPP: wait for the modem, call, have the
 * supervisor run PPP on the line, prove that it leads somewhere, count what it
 * moves, and give the line back.
 *
 *	idle -> waiting -> setting -> calling [-> asking] -> negotiating
 *	     -> proving -> up -> ending -> idle
 *
 * Every state but idle and up has a deadline.  Failures are words that begin
 * with a name (modem_why.h).
 */
#ifndef SERVER_MODEM_DIAL_H
#define SERVER_MODEM_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "../modem/linkstate.h"
#include "modem_internal.h"
#include "modem_why.h"
#include "proto.h"

struct modem_dial;

/* What SV_PPP says. */
struct modem_dial_ppp {
	enum ppp_state state;
	char interface[32], local[48], peer[48];
	char dns[64];			/* "a,b" */
	char failure[MODEM_WHY_NAME];	/* "" unless it ended with one */
	char text[MODEM_WHY];
};

/* None is called from inside modem_dial_start, _stop, _revoked. */
struct modem_dial_ops {
	/* To LINKSTATE_NEGOTIATING, LINKSTATE_PROVING. */
	void (*came)(void *arg, enum linkstate_at, const char *why);
	/*
	 * Its interface has an address: let the relays use it, and say so by
	 * modem_dial_proven when one is through.
	 */
	void (*prove)(void *arg, const struct modem_dial_ppp *);
	/* Its time is over: the name and text of the relay's failure. */
	void (*unproven)(void *arg, char failure[32], char text[MODEM_WHY]);
	void (*up)(void *arg, const char *why);
	/* Nothing is left of it.  hopeless: again would not help. */
	void (*failed)(void *arg, const char *why, bool hopeless);
	void (*closed)(void *arg);	/* after modem_dial_stop */
	/* A soft limit is reached: a reason to speak, not to end. */
	void (*quota)(void *arg, const char *text);
};

struct modem_dial *modem_dial_new(struct modem *,
    const struct modem_dial_ops *, void *arg);
void modem_dial_free(struct modem_dial *);

/* m->conf changed. */
void modem_dial_configure(struct modem_dial *);

/* Another activation: how often a login was refused before is forgotten. */
void modem_dial_forget(struct modem_dial *);

/*
 * Begin; it must be idle.  seconds: PPP ends by itself then, whatever becomes
 * of us (modem_dial_life sets it anew).
 */
void modem_dial_start(struct modem_dial *, bool force, uint32_t seconds);
void modem_dial_life(struct modem_dial *, uint32_t seconds);
/* Let it go.  True: nothing is left.  False: ops.closed follows, soon. */
bool modem_dial_stop(struct modem_dial *);
/*
 * It leads where it should: by_relay: one is through, which counts once bytes
 * were seen to come in; else nobody is there to prove it.
 */
void modem_dial_proven(struct modem_dial *, const char *why, bool by_relay);
/* Route this address over PPP, as long as it is up; IPv4. */
void modem_dial_route(struct modem_dial *, const char *address);

/* The modem's state changed; it is gone while its line is with PPP. */
void modem_dial_look(struct modem_dial *);
void modem_dial_revoked(struct modem_dial *);

/* What the supervisor says. */
void modem_dial_ppp(struct modem_dial *, const struct modem_dial_ppp *);
void modem_dial_routed(struct modem_dial *, const char *address,
    const char *why);

/* A reason not to begin, "E-QUOTA: ...", or "". */
char *modem_dial_refuses(struct modem_dial *, bool force,
    char why[MODEM_WHY]);

struct modem_dial_look {
	const char *state;		/* "waiting"... */
	const char *waits_for;		/* "E-REG: ...", "" */
	const char *interface, *local, *dns;	/* "" unless it is up */
	uint64_t received, sent;	/* of the last, or this, session */
	bool deaf;			/* no messages while it is up */
};
void modem_dial_view(const struct modem_dial *, struct modem_dial_look *);
/* "1.2 MB today of 20 MB, ..."; "" before there is a configuration. */
#define MODEM_DIAL_BUDGET 200
char *modem_dial_budget(struct modem_dial *, char dst[MODEM_DIAL_BUDGET]);

#endif
