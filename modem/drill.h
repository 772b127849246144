/*
 * drill: the whole way, tried without anybody who needs it: the link is
 * brought up, a relay answers, somebody logs in through it and has something
 * echoed, and the link goes down again.  Timers and callbacks only, like
 * linkstate.h, which does the first and the last part.
 *
 *	idle -> coming -> login -> leaving -> idle
 *
 * The link's own tries count: it fails when the link gives up.  Where the way
 * is there and no relay is, it fails when the relays have failed for good, or
 * in DRILL_RELAY_MS.  Whoever asks for the link meanwhile gets it: it is not
 * taken down then.
 */
#ifndef MODEM_DRILL_H
#define MODEM_DRILL_H

#include "linkstate.h"

#define DRILL_MS (15 * 60 * 1000)	/* until there is a way, at most */
#define DRILL_RELAY_MS (90 * 1000)
#define DRILL_LOGIN_MS (75 * 1000)
#define DRILL_LEAVE_MS (3 * 60 * 1000)
#define DRILL_WHY 200

struct drill;

enum drill_at {
	DRILL_IDLE,
	DRILL_COMING,
	DRILL_LOGIN,
	DRILL_LEAVING,
};

enum drill_how {
	DRILL_GOOD,
	DRILL_FAILED,
	DRILL_CUT,		/* somebody else ended it */
};

/* How things are. */
struct drill_view {
	enum linkstate_at link;
	const char *why;	/* it is so */
	bool follow;		/* a relay does, or would */
	bool through;		/* one is */
	const char *failure;	/* all have failed for good; else "" */
};

struct drill_result {
	enum drill_how how;
	const char *why;	/* a failure begins with its name (E-REG) */
	int64_t ms;		/* from beginning to end */
	bool taken;		/* the link stays: somebody else wants it */
};

/* From within them nothing of this header may be called but drill_changed. */
struct drill_ops {
	void (*view)(void *arg, struct drill_view *);
	void (*begin)(void *arg);	/* ask for the link */
	void (*login)(void *arg);	/* drill_logged_in, later */
	void (*end)(void *arg);		/* take the link down */
	void (*step)(void *arg, const char *text);
	void (*over)(void *arg, const struct drill_result *);
};

struct drill *drill_new(struct loop *, const struct drill_ops *, void *arg);
void drill_free(struct drill *);	/* NULL is fine */

/* It must be idle, and the link, too. */
void drill_start(struct drill *);
/* What ops.view shows is different, or may be. */
void drill_changed(struct drill *);
void drill_logged_in(struct drill *, bool good, const char *why);
/* Somebody else wants the link, or ends it. */
void drill_taken(struct drill *);

enum drill_at drill_at(const struct drill *);
/* What it is at, for people; "" while it is idle. */
const char *drill_step(const struct drill *);

#endif
