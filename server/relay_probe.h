/*
 * relay_probe: does our own host key answer at the port that the relay
 * forwards to us?  A channel of type direct-tcpip, through the relay to that
 * port, and on it a client of our own that goes no further than the key
 * exchange.  The relay may forbid such channels: then nothing is known.
 */
#ifndef SERVER_RELAY_PROBE_H
#define SERVER_RELAY_PROBE_H

#include <stdbool.h>

#include "relay_internal.h"

#define RELAY_PROBE_MS 15000

/* Never NULL.  Its outcome is told once by relay_probed, from a run. */
struct relay_probe *relay_probe_new(struct relay *,
    const struct relay_listen *);
void relay_probe_free(struct relay_probe *);	/* NULL is fine */

/* Do what is to be done; it may be freed after this. */
void relay_probe_run(struct relay_probe *);
bool relay_probe_wants_out(const struct relay_probe *);

#endif
