/*
 * throttle: how many connections may be unauthenticated at once, in all and
 * per source, and for how long a source that misbehaved is turned away.
 * Pure: the caller gives the time.  A source is an IPv4 address or an IPv6
 * /64 network.
 *
 * Exempt are connections of the relay (address NULL), from loopback, and
 * whatever is no address: all clients that come through a tunnel share one
 * source, which must not lock them out together.  They count in the total,
 * of which one slot is theirs alone: others may use all but one.  So may the
 * relay, which then cannot shut out those who are on the spot.
 *
 * Penalties add up per source as long as some are outstanding; a source is
 * turned away from the moment when more than enforce_ms are, until all are
 * served.
 *
 * Memory: at most sources entries of about 40 bytes; when the table is full
 * the source whose penalty ends first is forgotten.
 */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include <stddef.h>

#include "../server/base/clock.h"

struct throttle;

struct throttle_conf {
	unsigned total;		/* unauthenticated connections, at least 2 */
	unsigned per_source;
	size_t sources;		/* remembered at most; raised to total */
	int64_t failed_ms;	/* penalties */
	int64_t early_ms;
	int64_t grace_ms;
	int64_t max_ms;		/* most a source can have outstanding */
	int64_t enforce_ms;
};

enum throttle_verdict {
	THROTTLE_OK,
	THROTTLE_FULL,		/* total reached */
	THROTTLE_SOURCE_FULL,	/* per_source reached */
	THROTTLE_PENALTY,	/* the source has to wait */
};

enum throttle_outcome {
	THROTTLE_AUTHENTICATED,
	THROTTLE_FAILED,	/* tried to authenticate and did not */
	THROTTLE_GRACE,		/* did not finish in the time given */
	THROTTLE_EARLY,		/* left without trying */
	THROTTLE_EXCUSED,	/* ended by ourselves: nobody's fault */
};

struct throttle_counts {
	unsigned unauth;	/* connections now */
	size_t sources;		/* remembered now */
	size_t penalised;	/* turned away now */
	uint64_t admitted;
	uint64_t refused[THROTTLE_PENALTY + 1];	/* by verdict; [OK] unused */
};

/* 16 and 4 connections, 4096 sources, 5 s, 1 s, 10 s, 600 s, 15 s. */
extern const struct throttle_conf throttle_defaults;

/* Never NULL. */
struct throttle *throttle_new(const struct throttle_conf *);
void throttle_free(struct throttle *);		/* NULL is fine */

/* New limits from now on; connections and penalties stay. */
void throttle_configure(struct throttle *, const struct throttle_conf *);

/*
 * May a connection from this address (numeric text, NULL for the relay) be
 * served?  Only THROTTLE_OK takes a slot: call throttle_done once with the
 * same address when it has authenticated or is gone.
 */
enum throttle_verdict throttle_admit(struct throttle *, const char *address,
    struct mono now);
void throttle_done(struct throttle *, const char *address,
    enum throttle_outcome, struct mono now);

/* For messages: "too many unauthenticated connections" and the like. */
const char *throttle_text(enum throttle_verdict);

void throttle_count(const struct throttle *, struct mono now,
    struct throttle_counts *);

/*
 * One line for status: counts, and the sources turned away with the seconds
 * left, as many as fit.  Returns dst, always terminated.
 */
char *throttle_status(const struct throttle *, struct mono now, char *dst,
    size_t size);

#endif
