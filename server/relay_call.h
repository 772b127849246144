/*
 * relay_call: have a relay connected to.  This process can do that by itself
 * no more than anything else in the network: it asks the supervisor for a
 * dialer (dialer.h) by the relay's name, and takes the socket from that.
 */
#ifndef SERVER_RELAY_CALL_H
#define SERVER_RELAY_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/link.h"
#include "base/loop.h"

struct relay_calls;		/* of this process */
struct relay_call;

/* Never NULL; loop and the link to the supervisor outlive it. */
struct relay_calls *relay_calls_new(struct loop *, struct link *up);
/* After all its calls.  NULL is fine. */
void relay_calls_free(struct relay_calls *);

/* SV_DIAL: fd -1: why.  fd is taken over. */
void relay_calls_take(struct relay_calls *, uint32_t request, const char *why,
    int fd);

struct relay_call_to {
	const char *relay;	/* its name; only during relay_call_new */
	bool second;		/* its second port first */
	bool ppp;
};

/*
 * Called from the loop, never from inside relay_call_new.  Texts are safe to
 * show (str_safe).
 */
struct relay_call_ops {
	/* The name is known; addresses: for people. */
	void (*resolved)(void *arg, const char *addresses);
	/*
	 * Over: fd is the callee's, non-blocking; address: where it leads.
	 * fd -1: it is connected, but unproven says why not over PPP.
	 */
	void (*connected)(void *arg, int fd, const char *address,
	    const char *unproven);
	/* Over: the name could not be looked up, nobody answered there, ... */
	void (*failed)(void *arg, const char *why);
};

/* Never NULL. */
struct relay_call *relay_call_new(struct relay_calls *,
    const struct relay_call_to *, const struct relay_call_ops *, void *arg);
/*
 * Gives up if it is not over: the dialer ends, too.  From its callbacks, too.
 * NULL is fine.
 */
void relay_call_free(struct relay_call *);

#endif
