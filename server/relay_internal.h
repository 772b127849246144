/*
 * relay_internal: what relay.c (the state), relay_session.c (the libssh
 * session), relay_chan.c and relay_probe.c share.
 */
#ifndef SERVER_RELAY_INTERNAL_H
#define SERVER_RELAY_INTERNAL_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include "base/loop.h"
#include "relay.h"
#include "relay_call.h"
#include "relay_dial.h"
#include "ssh_key.h"

#define RELAY_HOST 256

struct relay_chan;
struct relay_probe;
struct relay_drill;

struct relay_listen {
	char asked[RELAY_HOST + 16];	/* as configured */
	char host[RELAY_HOST];	/* as the relay is asked; "" for any */
	unsigned port;		/* asked */
	unsigned bound;		/* 0: not now */
	size_t opened;		/* channels, in all */
	enum relay_tested tested;
	int64_t tested_us;
};

struct relay {
	struct relay_world *world;
	const struct config_relay *conf;
	const struct relay_ops *ops;
	void *arg;
	enum relay_state state;
	int64_t since_us;
	bool awake, running, removed;
	char via[48];		/* "relay NAME" */

	/* Wishes. */
	bool testing;		/* somebody waits for the outcome */
	bool again;		/* begin again once it has left */

	/* The present attempt. */
	unsigned attempts;
	bool by_ppp;
	char local[48];		/* its address there */
	struct relay_call *call;
	bool wants_key;		/* it was asked for */
	ssh_key identity;
	ssh_session session;
	struct ssh_counter_struct socket, packets;
	int fd;
	struct watch *watch;
	char address[RELAY_DIAL_TEXT];
	char fingerprint[SSH_KEY_FINGERPRINT];
	struct relay_listen listens[RELAY_LISTENS_MAX];
	size_t nlistens, asking;	/* asking: which is being asked for */
	struct mono forwarded_at;	/* all are there since */
	bool forwarded, was_up;		/* of this connection */
	unsigned refused;		/* kinds already logged */
	uint64_t answered;		/* bytes given out when all was read */
	struct relay_step_done steps[RELAY_STEPS];
	struct mono step_at;

	/* Channels from the relay. */
	struct relay_chan **chans;
	size_t nchans;

	/* The self-test. */
	struct relay_probe *probe;
	size_t proving;			/* which listen */
	struct timer *probe_again;
	struct relay_drill *drill;	/* NULL: none */

	/* Is it there? */
	struct timer *alive;
	struct mono heard_at;
	uint64_t heard;			/* bytes */
	unsigned missed;

	/* Failure, and the next attempt. */
	enum relay_failure failing;	/* must end: at the next run */
	enum relay_failure failure;
	enum relay_failure told;	/* in the journals, of this outage */
	char why[RELAY_TEXT];
	char error[RELAY_TEXT];
	struct backoff backoff;
	struct timer *clock;		/* what for depends on the state */
	struct mono next_at;
	struct mono refused_since, refused_at;	/* the first, the last time */
	bool is_refused, refused_told;
	bool other_port, other_way;	/* first, at the next attempt */
	bool hurry;			/* should this one fail: at once */
};

/* relay.c */
void relay_change_state(struct relay *, enum relay_state);
bool relay_is_wanted(const struct relay *);
/* values: " key=value...", or "". */
void relay_event(struct relay *, const char *kind, const char *values,
    const char *why);
/* Give up whatever there is of a connection. */
void relay_stop_attempt(struct relay *, bool polite);
void relay_tell_tested(struct relay *, bool good);
void relay_wake(struct relay *);
/* It must end, at its next run.  Only the first call counts. */
void relay_fail(struct relay *, enum relay_failure, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void relay_step_taken(struct relay *, enum relay_step, bool good,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The session has got this far. */
void relay_logged_on(struct relay *);		/* the host key is right */
void relay_logged_in(struct relay *);
void relay_is_forwarded(struct relay *);	/* all of them */
void relay_was_heard(struct relay *);
/* A channel that is among its channels from now on. */
void relay_adopt(struct relay *, struct relay_chan *);

/* relay_failure.c: what relay_fail announced; then it waits, or is off. */
void relay_fail_now(struct relay *);

/* relay_session.c */
/* Take over a connected socket.  False: relay_fail was called. */
bool relay_session_open(struct relay *, int fd);
void relay_session_close(struct relay *, bool polite);
/* Go on with what the state says; true: the state is another one. */
bool relay_session_step(struct relay *);
/* Messages and data came, or may have. */
void relay_session_read(struct relay *);
/* The socket takes data now, and nothing waits in libssh's own queue. */
bool relay_writable(struct relay *);
void relay_session_check(struct relay *);	/* may call relay_fail */
void relay_session_keepalive(struct relay *);

/* relay_probe.c: what came of it. */
enum relay_probe_result {
	RELAY_PROBE_GOOD,
	RELAY_PROBE_NOT_PERMITTED,
	RELAY_PROBE_BUSY,	/* no room for it just now: no fault */
	RELAY_PROBE_DEAD,	/* why says how */
};
void relay_probed(struct relay *, enum relay_probe_result, const char *why);

#endif
