/*
 * dialers: the supervisor's side of connecting to relays: a short-lived
 * process (dialer.h) for each connection that the ssh process asks for.  Where
 * it leads is the configuration's, and what it needs of PPP is what PPP itself
 * has said; the asker chooses a relay, which of its ports is tried first, and
 * whether to go over PPP, where the configuration leaves that open.
 *
 * One at a time for each relay: a newer one is the older one's end.
 */
#ifndef SERVER_DIALERS_H
#define SERVER_DIALERS_H

#include <stdbool.h>

#include "children.h"
#include "config.h"
#include "ppprun.h"

/* At a time, with those that were killed and are not yet gone. */
#define DIALERS_MAX (2 * CONFIG_RELAYS_MAX)

struct dialers;

/* Never NULL.  What it is given outlives it. */
struct dialers *dialers_new(struct children *, const struct ppprun *);
void dialers_free(struct dialers *);		/* NULL is fine */

struct dialers_ask {
	bool second;		/* its second port first */
	bool ppp;		/* over PPP, and nothing else */
};

/*
 * Connect to this relay.  A descriptor, the caller's, where the dialer says
 * enum proto_dialer; or -1 with *why, which is for people and lives on.
 */
int dialers_start(struct dialers *, const struct config_relay *,
    const struct dialers_ask *, const char **why);

/* The configuration is this one now: what leads elsewhere ends. */
void dialers_follow(struct dialers *, const struct config *);
/* The ssh process ended: nobody waits for any. */
void dialers_forget(struct dialers *);

#endif
