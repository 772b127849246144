/*
 * What ssh_conn.c (one connection) and ssh_conns.c (all of them) share.
 */
#ifndef SERVER_SSH_CONN_INTERNAL_H
#define SERVER_SSH_CONN_INTERNAL_H

#include <libssh/callbacks.h>

#include "../auth/keys.h"
#include "../auth/throttle.h"
#include "../auth/voucher.h"
#include "listen.h"
#include "ssh_conn.h"
#include "ssh_login.h"

enum conn_state {
	CONN_LOGIN,
	CONN_OPEN,
	CONN_LEAVING,		/* its channels end, then it does */
	CONN_DEAD,		/* to be freed at the end of the turn */
};

/* Where the questions of a login stand. */
enum conn_ask {
	ASK_NONE,
	ASK_SENT,			/* they are at the client */
	ASK_JUDGED,			/* its answers are at the gate */
	ASK_DECIDED,			/* the client is to be told */
	ASK_SIGNED,			/* it is in by a key; the gate looks at
					   the signature, too */
};

struct ssh_conn {
	struct ssh_conns *all;
	struct ssh_conn *next;		/* in all->first */
	struct ssh_conn *next_run;	/* in all->run_first */
	bool queued, running;
	bool typed;			/* this read brought data */
	bool whole;			/* no part of a packet waits in libssh */
	enum conn_state state;
	ssh_session session;
	struct ssh_server_callbacks_struct callbacks;
	struct ssh_counter_struct socket, packets;
	struct watch *watch;
	int fd;
	char from[LISTEN_TEXT];
	char via[48];			/* "ssh" or "relay NAME" */
	bool relayed;			/* from is the relay's word */
	bool silent;			/* its end was noticed late */
	char where[160];		/* all that, for the log */
	struct mono since;
	struct timer *limit;		/* login grace, or farewell */
	struct ssh_login *login;
	enum conn_ask ask;
	struct ssh_login_ask asked;
	uint32_t gate;			/* id there, 0: none */
	bool right;			/* what the gate said */
	unsigned early;			/* answers while it was at it */
	char gate_why[80];
	struct ssh_proof proof;		/* of the key that signed */
	char voucher[VOUCHER_TEXT];	/* of who is in */
	uint64_t id;			/* of the login, for the journal */
	bool told_refused;		/* there, too */
	bool counted;			/* throttle knows it */
	const char *full;
	const char *why;		/* it must end */
	const char *leave_why;		/* that counts, however it then ends */
	bool polite;			/* with a word to the client */
	enum throttle_outcome outcome;
	unsigned refused;		/* kinds already logged */
	uint64_t heard;			/* bytes received at the last tick */
	unsigned missed;
	struct ssh_chan **chans;
	size_t nchans;
};

struct ssh_conns {
	struct loop *loop;
	struct feed *feed;
	struct ssh_gate *gate;
	const struct config *conf;
	ssh_bind bind;
	struct ssh_auth *auth;
	struct feed_granted granted[FEED_GRANTS_MAX];
	size_t ngranted;
	struct throttle *throttle;
	struct ssh_conn *first;
	size_t n, nopen;
	struct ssh_conn *run_first, **run_last;
	struct timer *soon;		/* the queue is not empty */
	struct timer *tick;		/* keepalive, all at once */
	struct key *pass;		/* of a drill that waits, or NULL */
	char pass_via[48];		/* good there only */
	bool stopping;
	uint64_t last_id;		/* of a login; this process's above */
	struct mono told_penalty;	/* for the journal */
	unsigned untold;		/* turned away since */
};

/* ssh_conn_tell.c: for the box's journal; why may be NULL. */
void ssh_conn_tell(struct ssh_conn *, enum auth_what, const char *why);
/* How it ended: into the log, and as ssh_conn_tell. */
void ssh_conn_tell_end(struct ssh_conn *);
/* Turned away before it could say a word. */
void ssh_conns_tell_penalty(struct ssh_conns *, const char *from,
    const char *why);

/*
 * Serve fd (taken over in any case).  peer->via NULL: nobody passed it on.
 * False when libssh has no memory.
 */
bool ssh_conn_new(struct ssh_conns *, int fd, const struct ssh_conns_peer *);
void ssh_conn_free(struct ssh_conn *);

/* A request was answered with that: what follows from it. */
void ssh_conn_answered(struct ssh_conn *, enum ssh_login_answer);

/*
 * ssh_conn_ask.c: keyboard-interactive.  As a message callback: 0, or 1 for
 * libssh to refuse it.
 */
int ssh_conn_interactive(struct ssh_conn *, ssh_message);
/*
 * Who is in by a key alone is so for others once the gate has seen what it
 * signed: ssh_conn_vouched follows, unless it ends before.
 */
void ssh_conn_prove(struct ssh_conn *);
void ssh_conn_vouched(struct ssh_conn *);
/* Whatever was asked does not matter any more. */
void ssh_conn_ask_over(struct ssh_conn *);
/* Nothing may be read now: the client's next word must wait. */
bool ssh_conn_is_asking(const struct ssh_conn *);

/* Do what is to be done.  May leave it CONN_DEAD. */
void ssh_conn_run(struct ssh_conn *);

/* It ends at its next run; polite: with a word to the client. */
void ssh_conn_end(struct ssh_conn *, const char *why, bool polite);
/* End its channels with a message, which is not copied, then the connection. */
void ssh_conn_leave(struct ssh_conn *, const char *text);
/* End it now; not from inside a callback of libssh. */
void ssh_conn_finish(struct ssh_conn *);

/* Its place among those without a login is free. */
void ssh_conn_leave_throttle(struct ssh_conn *, enum throttle_outcome);
/* Once per keepalive interval. */
void ssh_conn_check_alive(struct ssh_conn *);

#endif
