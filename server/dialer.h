/*
 * dialer: the role that finds a relay's host, connects to it, hands the socket
 * to the ssh process and exits.  So that may do neither: it names a relay, and
 * all else is the supervisor's word (dialers.h).
 *
 * Nothing that is said to it is read: a word, or the end of its socket, is its
 * own end.
 */
#ifndef SERVER_DIALER_H
#define SERVER_DIALER_H

#include "relay_dial.h"

/*
 * What relay_dial takes at most: a name, all addresses on one port after the
 * other, then on the second.
 */
#define DIALER_MS (RELAY_DIAL_NAME_MS + 2 * (RELAY_DIAL_ADDRESS_MS + \
    RELAY_DIAL_MAX * RELAY_DIAL_STEP_MS))
#define DIALER_LIMIT_MS (DIALER_MS + 5000)	/* then it is killed */

/* In this order; "" for none, 0 for no second port. */
enum dialer_word {
	DIALER_HOST,
	DIALER_PORT,
	DIALER_SECOND,
	DIALER_SERVERS,		/* name servers "a,b" */
	DIALER_LOCAL,		/* address to come from, that of PPP */
	DIALER_INTERFACE,	/* PPP's; then the way there is proven, too */
	DIALER_WORDS,
};

/*
 * fd: socket to the ssh process, which gets enum proto_dialer there.  Returns
 * the exit status of the process.
 */
int dialer_main(int fd, int argc, char *const argv[]);

#endif
