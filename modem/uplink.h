/*
 * uplink: is the site's own uplink dead?  Timers and callbacks only: whoever
 * uses this asks the hosts.  Time is monotonic, so no step of the clock counts.
 *
 *	unknown -> alive <-> silent -> dead -> alive
 *
 * A round of questions every sixth of dead_ms, 10 s to a minute.  It is dead
 * once nobody has answered for dead_ms, over UPLINK_ROUNDS rounds at least (so
 * a process that slept finds out first); that is told once.  What damps
 * flapping: it is back only when UPLINK_ROUNDS rounds in a row were answered,
 * and dead again no sooner than dead_ms of silence after that.  A round that
 * tells nothing of the uplink (its questions went elsewhere) neither counts as
 * an answer nor as silence, and silence begins anew after it.
 */
#ifndef MODEM_UPLINK_H
#define MODEM_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "../server/base/loop.h"

#define UPLINK_ROUNDS 3
#define UPLINK_BY 80		/* bytes that are kept of who answered */
#define UPLINK_CHECK_MS 8000	/* for the answers of one round */

struct uplink;

enum uplink_at {
	UPLINK_OFF,		/* nothing is watched */
	UPLINK_UNKNOWN,		/* no round is over yet */
	UPLINK_ALIVE,
	UPLINK_SILENT,		/* nobody answered in the last round */
	UPLINK_DEAD,
};

enum uplink_word {
	UPLINK_ANSWERED,
	UPLINK_NO_ANSWER,
	UPLINK_NO_WORD,		/* it was not the uplink that was asked */
};

struct uplink_ops {
	/* Ask; the outcome by uplink_heard, later, within UPLINK_CHECK_MS. */
	void (*ask)(void *arg);
	void (*dead)(void *arg);
	/* It answers again, after so long. */
	void (*back)(void *arg, int64_t ms);
	/* What uplink_look shows did. */
	void (*changed)(void *arg);
};

/* Off until uplink_configure.  Never NULL. */
struct uplink *uplink_new(struct loop *, const struct uplink_ops *,
    void *arg);
void uplink_free(struct uplink *);		/* NULL is fine */

/* Watch (anew), dead after dead_ms; 0: do not. */
void uplink_configure(struct uplink *, int64_t dead_ms);
/* After uplink_configure: it was dead already, since then, and told. */
void uplink_resume(struct uplink *, struct mono dead_since);

/* How the round ended; by: who answered, or "".  Copied. */
void uplink_heard(struct uplink *, enum uplink_word, const char *by);

struct uplink_look {
	enum uplink_at at;
	bool answered;			/* ever; else the next two are void */
	struct mono answered_at;
	const char *by;
	struct mono silent_since;	/* if silent or dead */
	struct mono dead_since;		/* if dead */
	bool no_word;			/* the last round told nothing */
	unsigned good;			/* dead: rounds answered in a row */
};
void uplink_look(const struct uplink *, struct uplink_look *);

/* "off", "unknown", "alive", "silent", "dead". */
const char *uplink_text(enum uplink_at);

#endif
