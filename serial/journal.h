/*
 * journal: writes one console's journal: device bytes become one record per
 * line, unfinished lines are previewed, events stand between them.  It is
 * synchronous and belongs to one thread (the scribe's).
 *
 * It never loses its place: journal_offset is the next device byte it wants.
 * While its disk refuses to write it takes no more than its bounded memory
 * holds (OUT of jfile.c and one line), and whoever feeds it offers the bytes
 * from journal_offset on again later.
 */
#ifndef SERIAL_JOURNAL_H
#define SERIAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/clock.h"
#include "jdir.h"
#include "jfile.h"
#include "record.h"

struct journal;

#define JOURNAL_QUIET_MS 200	/* silence after which a prompt is previewed */
#define JOURNAL_LATE_MS 1000	/* or when part of it has waited that long */

/* Never NULL; touches no file. */
struct journal *journal_new(const struct jfile_conf *);
void journal_free(struct journal *);	/* writes nothing; NULL is fine */

/*
 * Where the journal on disk ends; known is 0 when there is none yet.  Reads
 * only.  0, or -1 with errno when it cannot be told.
 */
int journal_find_place(const struct jfile_conf *, struct jdir_place *);

/*
 * The stream goes on at offset.  fresh: it has nothing to do with what was
 * recorded before.  Call once before the first byte.
 */
void journal_begin(struct journal *, uint64_t offset, bool fresh);

/*
 * Bytes from journal_offset on, arrived at `when`.  Returns how many it took:
 * fewer than n only while it cannot write.
 */
size_t journal_data(struct journal *, struct stamp when, const void *,
    size_t n);

/*
 * An event (RECORD_EVENT) or typed input (RECORD_INPUT) at journal_offset; at
 * most RECORD_BYTES of text.  0, or -1 when it cannot be taken now.
 */
int journal_event(struct journal *, struct stamp when, enum record_type,
    const char *text, size_t n);

/* Device bytes up to offset `to` are lost; says so.  0 or -1 as above. */
int journal_gap(struct journal *, struct stamp when, uint64_t to);

/* End an unfinished line here, as a cut record. */
void journal_cut(struct journal *);

enum journal_show {
	JOURNAL_SHOW_DUE,	/* preview what has been silent long enough */
	JOURNAL_SHOW_ALL,	/* preview whatever is unfinished */
};

/* Write everything down.  0, or -1: see journal_problem. */
int journal_flush(struct journal *, struct stamp now, enum journal_show);

/* When journal_flush has a preview to write.  False: never. */
bool journal_due(const struct journal *, struct mono *when);

uint64_t journal_offset(const struct journal *);
/* For syncing, sizes and state. */
struct jfile *journal_file(const struct journal *);

/*
 * A sync failed.  What was recorded from offset on is in doubt: the journal
 * goes back there and goes on in a new segment, saying why.
 */
void journal_doubt(struct journal *, struct stamp now, uint64_t offset,
    const char *why);

#endif
