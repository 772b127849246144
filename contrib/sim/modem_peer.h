/*
 * modem_peer: the far end of a PPP link and the useless networks behind it:
 * for what slirp cannot play, an operator that lets nobody through.  Pure:
 * bytes in, bytes out, no timers; the client's repeats do for ours.
 */
#ifndef SIM_MODEM_PEER_H
#define SIM_MODEM_PEER_H

#include <stddef.h>
#include <stdint.h>

enum peer_manners {
	PEER_DEAD,	/* an address, but no packet is ever answered */
	PEER_PORTAL,	/* TCP, ping and DNS are answered by a portal */
	PEER_STUCK,	/* no address, and name servers that are not */
	PEER_REFUSE,	/* asks for PAP, refuses, hangs up */
};

struct peer;

typedef void peer_output_fn(void *arg, const uint8_t *, size_t n);

/* Never NULL. */
struct peer *peer_new(enum peer_manners, peer_output_fn *, void *arg);
void peer_free(struct peer *);			/* NULL is fine */

/* Bytes from the line.  0, or -1 when the link was terminated. */
int peer_input(struct peer *, const uint8_t *, size_t n);

#endif
