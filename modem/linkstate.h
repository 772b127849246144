/*
 * linkstate: the life of the link to the outside as one state machine: when it
 * is brought up, held, warned of, extended, tried again and given up.  Timers
 * and callbacks only: no socket, no file, no modem.  What brings a way up is
 * plugged in through linkstate_ops, so this is the same for PPP and for an
 * uplink that is there anyway.
 *
 *	idle -> dialling -> negotiating -> proving -> relaying -> up
 *	     -> closing -> reporting -> idle
 *
 * A way that is there at once goes from idle to relaying.  failed waits
 * between tries; after the last it goes to reporting.  relaying lasts until a
 * relay that follows the link is through (at once when none follows it); up
 * falls back to it when the last one is lost.
 *
 * The hold counts from the moment the way is there, max_hold from the first
 * such moment of an activation; the end is absolute, whatever is dialled anew
 * meanwhile.
 */
#ifndef MODEM_LINKSTATE_H
#define MODEM_LINKSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../server/base/loop.h"

#define LINKSTATE_WHO 64	/* bytes that are kept of who asked */
#define LINKSTATE_WHY 160	/* ... and of a reason */

struct linkstate;

enum linkstate_at {
	LINKSTATE_IDLE,
	LINKSTATE_DIALLING,
	LINKSTATE_NEGOTIATING,
	LINKSTATE_PROVING,
	LINKSTATE_RELAYING,
	LINKSTATE_UP,
	LINKSTATE_CLOSING,
	LINKSTATE_REPORTING,
	LINKSTATE_FAILED,
};

enum linkstate_answer {
	LINKSTATE_DONE,
	LINKSTATE_CUT,		/* done, as far as max_hold allows */
	LINKSTATE_AT_MOST,	/* nothing is left of max_hold */
	LINKSTATE_NOT_UP,	/* there is no link to do this to */
};

struct linkstate_conf {
	int64_t hold_ms;
	int64_t max_hold_ms;
	int64_t warn_ms;	/* before the end; at most half of the time */
	int64_t relay_ms;	/* no relay through for so long: late() */
	int64_t retry_min_ms, retry_max_ms;	/* between tries, doubling */
	unsigned tries;		/* per activation, and after each loss */
};

/*
 * arg is that of linkstate_new.  From within them nothing of this header may
 * be called but linkstate_look, linkstate_save and linkstate_text.
 */
struct linkstate_ops {
	/*
	 * Bring the way up.  True: it is there already.  False: say what
	 * becomes of it by linkstate_came, _way_up or _way_failed, later.
	 */
	bool (*start)(void *arg);
	/* Let it go.  True: nothing is left of it.  False: linkstate_closed. */
	bool (*stop)(void *arg);
	/* Tell the owner how it ended.  False: linkstate_reported, later. */
	bool (*report)(void *arg, const char *why);
	void (*changed)(void *arg, enum linkstate_at from);
	/* The end comes in left_ms, unless somebody does something. */
	void (*warn)(void *arg, int64_t left_ms);
	/* It ends later now; who NULL: because somebody is attached. */
	void (*extended)(void *arg, const char *who, int64_t by_ms);
	/* Still no relay is through. */
	void (*late)(void *arg);
};

/* conf is copied. */
struct linkstate *linkstate_new(struct loop *, const struct linkstate_conf *,
    const struct linkstate_ops *, void *arg);
void linkstate_free(struct linkstate *);	/* stops nothing; NULL is fine */
/* For what begins from now on. */
void linkstate_configure(struct linkstate *, const struct linkstate_conf *);

/*
 * What people ask for; who and why are copied.  up: wanted for ms (0: hold).
 * When it is wanted already it lasts the longer of both; one that is on its
 * way down comes up again; one that waits to try again tries now.
 */
enum linkstate_answer linkstate_up(struct linkstate *, int64_t ms,
    const char *who, const char *why);
enum linkstate_answer linkstate_extend(struct linkstate *, int64_t ms,
    const char *who);
/* From now on it is this one's, unless it is nobody's. */
void linkstate_hand_over(struct linkstate *, const char *who);
enum linkstate_answer linkstate_down(struct linkstate *, const char *why);

/* What becomes of the way; ignored in a state where it cannot be. */
void linkstate_came(struct linkstate *, enum linkstate_at,
    const char *why);			/* to NEGOTIATING, PROVING */
void linkstate_way_up(struct linkstate *, const char *why);
/* Nothing of the way is left; reason is a name and text for people. */
void linkstate_way_failed(struct linkstate *, const char *reason);
void linkstate_closed(struct linkstate *);
void linkstate_reported(struct linkstate *);

/* So many relays follow the link; at least one is through. */
void linkstate_relays(struct linkstate *, unsigned follow, bool through);
/* So many people are attached. */
void linkstate_attached(struct linkstate *, unsigned n);

/* What outlives a process of ours.  Times are of this boot only. */
struct linkstate_saved {
	char who[LINKSTATE_WHO];
	int64_t hold_ms;
	bool was_up;			/* else until and first_up are void */
	struct mono until, first_up;
};
/* False: there is nothing to go on with. */
bool linkstate_save(const struct linkstate *, struct linkstate_saved *);
/* Go on, from idle.  False: its time is over (and it stays idle). */
bool linkstate_resume(struct linkstate *, const struct linkstate_saved *);

struct linkstate_look {
	enum linkstate_at at;
	struct mono since;		/* when it came to this state */
	bool was_up;			/* in this activation */
	struct mono until, until_max;	/* if was_up */
	int64_t hold_ms;		/* from then on, if not was_up */
	bool retries;
	struct mono retry_at;		/* failed: if retries */
	unsigned tries;			/* so far */
	bool late;			/* relaying for longer than relay_ms */
	const char *who;		/* asked for it, "" */
	const char *why;		/* it is in this state, "" at first */
};
void linkstate_look(const struct linkstate *, struct linkstate_look *);

/* "idle", "dialling", ... */
const char *linkstate_text(enum linkstate_at);

#endif
