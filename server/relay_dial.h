/*
 * relay_dial: from a host name to a connected TCP socket, without waiting.
 *
 * The name is looked up by c-ares: in the hosts file and with the system's
 * name servers, both read anew each time, or with given ones.  Then all
 * addresses are tried in turn: the next one RELAY_DIAL_STEP_MS after the last
 * or as soon as that has failed, each for RELAY_DIAL_ADDRESS_MS at most.  The
 * first that connects is taken.  When none does on the first port, the second
 * has its turn.
 *
 * Memory: at most RELAY_DIAL_MAX addresses, as many sockets.
 */
#ifndef SERVER_RELAY_DIAL_H
#define SERVER_RELAY_DIAL_H

#include <stdbool.h>

#include "base/loop.h"

#define RELAY_DIAL_MAX 16
#define RELAY_DIAL_STEP_MS 250
#define RELAY_DIAL_ADDRESS_MS 20000
#define RELAY_DIAL_NAME_MS 20000	/* for the name */
#define RELAY_DIAL_TEXT 80		/* "[2001:db8::1]:443" and NUL */

struct relay_dial;

/* Strings need to live only during relay_dial_new. */
struct relay_dial_to {
	const char *host;
	unsigned ports[2];	/* in this order; 0: none */
	const char *servers;	/* name servers "a,b"; "": the system's */
	const char *local;	/* address to come from; "": any */
	const char *interface;	/* to use only; "": any */
};

/* Called from the loop, never from inside relay_dial_new. */
struct relay_dial_ops {
	/* The name is known; addresses: for people. */
	void (*resolved)(void *arg, const char *addresses);
	/* Over: fd is the callee's, non-blocking; address: where it leads. */
	void (*connected)(void *arg, int fd, const char *address);
	/* Over: the name could not be looked up, or nobody answered there. */
	void (*failed)(void *arg, const char *why);
};

/* Never NULL. */
struct relay_dial *relay_dial_new(struct loop *, const struct relay_dial_to *,
    const struct relay_dial_ops *, void *arg);
/* Gives up if it is not over; from its callbacks, too.  NULL is fine. */
void relay_dial_free(struct relay_dial *);

/* From failed: somebody is there, and refused the connection (RST). */
bool relay_dial_refused(const struct relay_dial *);

/* Once per process, before and after. */
void relay_dial_start(void);
void relay_dial_stop(void);

#endif
