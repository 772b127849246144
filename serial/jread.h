/*
 * jread: reads one console's journal, from any place, forwards, while it is
 * being written.  Records come as the device's history: previews that a later
 * record replaced, and what a new segment records again after a failed sync,
 * are left out; damaged and foreign lines are passed over and counted.
 * Memory is constant; nothing is read that is not needed to get there.
 */
#ifndef SERIAL_JREAD_H
#define SERIAL_JREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

struct jread;

/* NULL with errno; ENOENT: there is no journal of that console. */
struct jread *jread_open(const char *log_dir, const char *console);
void jread_close(struct jread *);	/* NULL is fine */

/*
 * Only records with a byte (or event) between these times, both included;
 * INT64_MIN and INT64_MAX: no bound.  Goes to the first of them: call before
 * jread_next.  0, or -1 with errno.
 */
int jread_range(struct jread *, int64_t since_us, int64_t until_us);

/*
 * What is in the journal now and nothing that is recorded later, whatever its
 * times say: jread_end tells where that ends, jread_stop, called first, has
 * another reader of the same journal stop there.  0, or -1 with errno.
 */
struct jread_place {
	uint32_t seq;		/* a segment */
	uint64_t pos;		/* in its text */
};
int jread_end(const struct jread *, struct jread_place *);
void jread_stop(struct jread *, const struct jread_place *);

/* Go to the last n lines (call instead of jread_range).  0 or -1. */
int jread_tail(struct jread *, size_t n);

/*
 * The next record (never a header, a seal, or a preview that was replaced).
 * 1; 0 at the end as it stands now: call again later to follow; -1 with
 * errno.  The record points into the reader, valid until the next call.
 */
int jread_next(struct jread *, struct record *);

/*
 * At the end: what the unfinished line shows so far, as one preview record.
 * False: there is none.  jread_next may replace it later.
 */
bool jread_unfinished(struct jread *, struct record *);

/* The range is exhausted: following brings nothing more. */
bool jread_is_past(const struct jread *);

/* Changes with every start of the writer (mono times compare within). */
uint64_t jread_boot(const struct jread *);
/* Changes when offsets start anew. */
unsigned jread_epoch(const struct jread *);
uint64_t jread_damaged(const struct jread *);	/* lines passed over */
uint64_t jread_bytes(const struct jread *);	/* read from the disk */

#endif
