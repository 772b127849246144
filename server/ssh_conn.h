/*
 * ssh_conn: the SSH connections: handshake, login, keepalive, end.
 *
 * Each has its own libssh session with its own poll context, driven from our
 * loop.  Nothing of libssh is freed or written to from inside one of its
 * callbacks: those mark the connection, and the turn of the loop does it.
 *
 *	CONN_LOGIN --signed key accepted--> CONN_OPEN --> CONN_DEAD
 *	     '---- time over, too many tries, gone ------------^
 */
#ifndef SERVER_SSH_CONN_H
#define SERVER_SSH_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/socket.h>

#include <libssh/libssh.h>
#include <libssh/server.h>

#include "base/loop.h"
#include "config.h"
#include "feed.h"
#include "ssh_auth.h"
#include "ssh_gate.h"

struct ssh_conns;		/* all of them */
struct ssh_conn;

/* Never NULL.  Loop, feed and gate outlive it. */
struct ssh_conns *ssh_conns_new(struct loop *, struct feed *,
    struct ssh_gate *);
void ssh_conns_free(struct ssh_conns *);

/*
 * The configuration and the template of new sessions from now on.  They must
 * live until the next call.  Logins that the new one would refuse are ended
 * with a message.
 */
void ssh_conns_configure(struct ssh_conns *, const struct config *,
    ssh_bind);

/*
 * Serve a connection that was accepted; fd is taken over.  from: its peer.
 * False when there is no room just now: offer it again in SSH_CONNS_WAIT_MS.
 */
#define SSH_CONNS_WAIT_MS 100
bool ssh_conns_add(struct ssh_conns *, int fd, const struct sockaddr *from);

/*
 * The same for one that a relay passed on.  What it says about its peer is
 * only claimed: it is shown, but no address of a key's from= matches it.
 */
struct ssh_conns_peer {
	const char *from;	/* address as text */
	unsigned port;
	const char *via;	/* "relay NAME" */
};
bool ssh_conns_add_relayed(struct ssh_conns *, int fd,
    const struct ssh_conns_peer *);
/* End all that came this way with a message; how many there are still. */
void ssh_conns_leave(struct ssh_conns *, const char *via, const char *text);
size_t ssh_conns_count_via(const struct ssh_conns *, const char *via);
/*
 * Their way is gone: all that came by it end before they write any more.
 * silent: it had been so for some time, so that they have not seen all that
 * they were sent.
 */
void ssh_conns_lost(struct ssh_conns *, const char *via, bool silent);

/*
 * A pass for our own drill (ssh_login.h): base64 of an ed25519 key that lets
 * in once, through this relay ("relay NAME"), to one echo (ssh_echo.h).
 * ssh_conns_no_pass: it is over; whoever is in by it is ended.
 */
void ssh_conns_pass(struct ssh_conns *, const char *via, const char *base64);
void ssh_conns_no_pass(struct ssh_conns *);

/* End all with a message; what does not go by itself dies with the process. */
void ssh_conns_stop(struct ssh_conns *, const char *text);
size_t ssh_conns_count(const struct ssh_conns *);
/* Who may use which consoles for now, beyond the configuration. */
void ssh_conns_granted(struct ssh_conns *, const struct feed_granted *,
    size_t n);

/* For channels. */

/* Run the connection in this turn (or the next, when it runs just now). */
void ssh_conn_wake(struct ssh_conn *);
/* Data came for a channel. */
void ssh_conn_typed(struct ssh_conn *);
/* It runs just now: callbacks must only take notes. */
bool ssh_conn_is_running(const struct ssh_conn *);
/* The socket takes data now, and nothing waits in libssh's own queue. */
bool ssh_conn_writable(struct ssh_conn *);
/* It must end: why is a literal, for the log. */
void ssh_conn_fail(struct ssh_conn *, const char *why);
/* Something was refused: logged once per kind and connection. */
enum ssh_refusal {
	SSH_REFUSED_ENV,
	SSH_REFUSED_SUBSYSTEM,
	SSH_REFUSED_CHANNEL,
	SSH_REFUSED_FORWARD,
	SSH_REFUSED_REQUEST,
};
void ssh_conn_refused(struct ssh_conn *, enum ssh_refusal, const char *what);

struct loop *ssh_conn_loop(const struct ssh_conn *);
struct feed *ssh_conn_feed(const struct ssh_conn *);
const struct ssh_auth_who *ssh_conn_who(const struct ssh_conn *);
bool ssh_conn_is_drill(const struct ssh_conn *);	/* in by the pass */
const char *ssh_conn_from(const struct ssh_conn *);
const char *ssh_conn_via(const struct ssh_conn *);	/* "ssh", "relay NAME" */
const char *ssh_conn_key(const struct ssh_conn *);
/* That he is logged in, for the console process; "": there are none. */
const char *ssh_conn_voucher(const struct ssh_conn *);	/* fingerprint */
/* NULL, or why this login gets no session. */
const char *ssh_conn_full(const struct ssh_conn *);

#endif
