/*
 * check: reads a journal, or the segments of a span of it, and says what its
 * seals say: which
 * record was edited, removed, added or moved, which seal or segment is missing
 * or not what it was.  It knows nothing of signatures and of the box's
 * journal: whoever asks compares what it is told of each seal.
 */
#ifndef SERIAL_CHECK_H
#define SERIAL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chain.h"
#include "record.h"
#include "seal.h"

enum check_kind {
	CHECK_EDITED,		/* records that were changed */
	CHECK_REMOVED,		/* records that are missing */
	CHECK_ADDED,		/* records that were not there */
	CHECK_DOUBLED,		/* the same, and each is another's copy */
	CHECK_SWAPPED,		/* records in another order */
	CHECK_SEAL,		/* a seal was edited or removed */
	CHECK_SEGMENT_REMOVED,
	CHECK_SEGMENT_MOVED,	/* it is another one by its header */
	CHECK_CUT,		/* the end of a segment is missing */
	CHECK_DAMAGED,		/* a packed segment cannot be unpacked */
};

struct check_finding {
	enum check_kind kind;
	const char *segment;	/* file name, or "" */
	uint32_t seq;
	size_t line, upto;	/* 1 is the first; 0: of no line */
	uint64_t seal;		/* which tells, 0: none */
	int64_t utc_us;		/* of that line's record, 0: unknown */
	char text[320];		/* a sentence */
};

struct check_ops {
	void (*finding)(void *arg, const struct check_finding *);
	/* A seal that is as it was.  NULL: not wanted. */
	void (*seal)(void *arg, uint32_t seq, const struct seal_fields *);
	/* An event.  NULL: not wanted. */
	void (*event)(void *arg, uint32_t seq, const struct record *);
};

/* Only the segments that may hold a record of these times, both included. */
struct check_want {
	int64_t since_us, until_us;	/* INT64_MIN, INT64_MAX: no bound */
	uint64_t bytes_max;		/* of text */
};

struct check_result {
	uint32_t first, last;		/* segments, 0: there are none */
	struct chain_header begin;	/* of the first */
	struct seal_mark mark;		/* the newest seal */
	int64_t mark_us;		/* its time */
	bool ended;			/* it is its segment's last */
	bool from_first, to_last;	/* nothing is left out before, after */
	uint64_t segments, seals, records, unsealed;
	uint64_t old;			/* segments from before there were
					   seals */
	unsigned findings;
};

/*
 * want NULL: all of it.  0, or -1 with errno: it cannot be read; EFBIG, there
 * is more than bytes_max, and nothing was read.
 */
int check_journal(const char *log_dir, const char *console,
    const struct check_want *, const struct check_ops *, void *arg,
    struct check_result *);

const char *check_kind_text(enum check_kind);	/* one word */

#endif
