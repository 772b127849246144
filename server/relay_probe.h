/*
 * relay_probe: does our own host key answer at the port that the relay
 * forwards to us?  A channel of type direct-tcpip, through the relay to that
 * port, and on it a client of our own that goes no further than the key
 * exchange; a drill's logs in, too (relay_login.h).  The relay may forbid such
 * channels: then nothing is known.
 */
#ifndef SERVER_RELAY_PROBE_H
#define SERVER_RELAY_PROBE_H

#include <stdbool.h>

#include "relay_internal.h"

#define RELAY_PROBE_MS 15000

struct relay_probe_conf {
	/* The outcome, once, from a run. */
	void (*done)(struct relay *, enum relay_probe_result,
	    const char *why);
	int64_t limit_ms;
	ssh_key key;		/* to log in with, or NULL; not taken over */
	const char *nonce;	/* to be echoed then; copied */
};

/* Never NULL.  conf is copied. */
struct relay_probe *relay_probe_new(struct relay *,
    const struct relay_listen *, const struct relay_probe_conf *);
void relay_probe_free(struct relay_probe *);	/* NULL is fine */

/* Do what is to be done; it may be freed after this. */
void relay_probe_run(struct relay_probe *);
bool relay_probe_wants_out(const struct relay_probe *);

#endif
