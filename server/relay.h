/*
 * relay: one way in through a host that both we and the admins can reach.
 * We log in there with libssh as client, have it listen for us (remote port
 * forwarding), and hand every connection that it passes on to our own SSH
 * server, through a socketpair.
 *
 *	OFF -> RESOLVING -> CONNECTING -> HANDSHAKE -> AUTHENTICATING
 *	    -> FORWARDING -> PROVING -> UP
 * Any of them fails to WAITING, and from there begins again; LEAVING takes
 * leave of those who came this way, then it is OFF, or begins anew.
 *
 * What a relay can make us hold, for max_channels channels: 16 KiB for each
 * until our own server takes it; then SSH_CHAN_INPUT_MAX here (see
 * relay_chan.h) and a window of 1.28 MB in libssh, both only while our own
 * server does not read; RELAY_UNREAD_MAX of answers that it does not read.
 * What goes beyond ends the channel or the connection.
 *
 * Every function but relay_run may be called from anywhere but a callback of
 * libssh, where relay_fail and relay_wake only take notes.
 */
#ifndef SERVER_RELAY_H
#define SERVER_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "config.h"
#include "proto.h"
#include "ssh_conn.h"

#define RELAY_TEXT 512
#define RELAY_UNREAD_MAX (256 * 1024)
#define RELAY_LISTENS_MAX 8

struct keyring;
struct relay;
struct relay_calls;

enum relay_state {
	RELAY_OFF,
	RELAY_WAITING,
	RELAY_RESOLVING,
	RELAY_CONNECTING,
	RELAY_HANDSHAKE,
	RELAY_AUTHENTICATING,
	RELAY_FORWARDING,
	RELAY_PROVING,
	RELAY_UP,
	RELAY_LEAVING,
};

enum relay_failure {
	RELAY_OK,
	RELAY_NAME,		/* could not be looked up */
	RELAY_CONNECT,
	RELAY_KEX,
	RELAY_HOST_KEY,
	RELAY_IDENTITY,		/* our own key cannot be had */
	RELAY_LOGIN,
	RELAY_REFUSED,		/* the relay does not listen for us */
	RELAY_SELF_TEST,	/* it listens, but not for us */
	RELAY_SILENT,
	RELAY_LOST,
	RELAY_ABUSE,		/* it does what no relay does */
	RELAY_WAY_GONE,		/* the link that it used is down */
};

enum relay_step {
	RELAY_STEP_NAME,
	RELAY_STEP_CONNECT,
	RELAY_STEP_KEX,
	RELAY_STEP_HOST_KEY,
	RELAY_STEP_LOGIN,
	RELAY_STEP_FORWARD,
	RELAY_STEP_TEST,
	RELAY_STEPS,
};

struct relay_step_done {
	bool done, good;
	int64_t ms;
	char text[160];
};

enum relay_tested {
	RELAY_UNTESTED,
	RELAY_TESTED,
	RELAY_NOT_PERMITTED,	/* no fault: the relay forbids the test */
};

/* The way that the modem process says there is. */
struct relay_way {
	enum way way;
	char interface[32], local[48], servers[256];
};

/* What all relays share.  It outlives them. */
struct relay_world {
	struct loop *loop;
	struct ssh_conns *conns;
	char *box_key;		/* our host key, base64 */
	struct relay_way way;
	/* These are about to be reached over PPP: "192.0.2.1, 192.0.2.2". */
	void (*route)(void *arg, const char *addresses);
	void *route_arg;
	/*
	 * Have the key of this file put into keys, then call relay_key_came.
	 * NULL: it is read here.
	 */
	void (*want_key)(void *arg, const char *path);
	void *want_arg;
	const struct keyring *keys;
	struct relay_calls *calls;	/* by which they are connected to */
};

struct relay_ops {
	/* Its state, or something else that status shows, changed. */
	void (*changed)(void *arg, struct relay *);
	/* A step of the present attempt was taken. */
	void (*step)(void *arg, struct relay *, enum relay_step);
	/* The attempt, or the self-test of a standing one, is over. */
	void (*tested)(void *arg, struct relay *, bool good);
	/* The drill is over; text for people. */
	void (*drilled)(void *arg, struct relay *, enum way_drill,
	    const char *text);
	/* For the journals. */
	void (*event)(void *arg, const char *kind, const char *text);
	/* Call relay_run before the loop waits. */
	void (*wake)(void *arg);
};

/*
 * Never NULL.  conf lives until the next relay_configure, or relay_free.  It
 * is off until relay_follow.
 */
struct relay *relay_new(struct relay_world *, const struct config_relay *conf,
    const struct relay_ops *, void *arg);
/* At once; channels end without a word. */
void relay_free(struct relay *);

/*
 * The configuration from now on.  What changes how it connects makes it begin
 * again; whoever waits tries at once.
 */
void relay_configure(struct relay *, const struct config_relay *conf);
/* The way may be another one: start, leave, or try at once. */
void relay_follow(struct relay *);
/* The key of this path is there, or is not. */
void relay_key_came(struct relay *, const char *path);
/* Take leave of everybody and go off, for good; relay_is_gone then. */
void relay_remove(struct relay *);
bool relay_is_gone(const struct relay *);

/*
 * Try now: an attempt if there is none, a self-test if it is up.  tested is
 * called once when it is over.  NULL, or why that cannot be.
 */
const char *relay_test(struct relay *);

/* Bytes over its present connection, both ways together. */
uint64_t relay_bytes(const struct relay *);

/* Do what is to be done. */
void relay_run(struct relay *);
bool relay_is_awake(const struct relay *);

/* What status shows. */
const struct config_relay *relay_conf(const struct relay *);
enum relay_state relay_state(const struct relay *);
/* The state as others understand it. */
enum way_relay relay_way_state(const struct relay *);
enum relay_failure relay_failure(const struct relay *);

struct relay_view {
	int64_t since_us;	/* in this state, UTC */
	unsigned attempts;	/* since it last worked */
	const char *text;	/* about the state, or the failure, "" */
	const char *error;	/* the last failure, even if it is over; "" */
	const char *fingerprint;	/* of the relay, "" */
	const char *address;	/* where the connection leads, "" */
	bool by_ppp;
	size_t channels;
	int64_t next_ms;	/* to the next attempt, -1: none */
	size_t nlistens;
	struct relay_view_listen {
		const char *asked;
		unsigned bound;		/* 0: not now */
		enum relay_tested tested;
		int64_t tested_us;	/* UTC, 0: never */
	} listens[RELAY_LISTENS_MAX];
};

void relay_view(const struct relay *, struct relay_view *);
const struct relay_step_done *relay_step(const struct relay *,
    enum relay_step);

/* Words: "up", "host-key", "self-test" (nothing but [a-z-]). */
const char *relay_state_text(enum relay_state);
const char *relay_way_text(enum way_relay);
const char *relay_failure_text(enum relay_failure);
const char *relay_step_text(enum relay_step);
const char *relay_tested_text(enum relay_tested);

#endif
