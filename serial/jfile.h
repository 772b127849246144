/*
 * jfile: the segment that is being written, and the records that wait for it.
 * It opens the next segment by itself: at the start (never appending to an
 * old one), when the segment is full, when the file or its folder was taken
 * away, and when an error left the file in doubt.  What could not be written
 * stays in memory, bounded, and is tried again.
 */
#ifndef SERIAL_JFILE_H
#define SERIAL_JFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/clock.h"
#include "seal.h"

struct jfile;

#define JFILE_SYNC_FDS 18
#define JFILE_ROOM (3 * 36864)	/* what jfile_end always has room for once
				   jfile_is_full was false */

struct jfile_conf {
	const char *log_dir, *console, *box;	/* copied */
	uint64_t boot;		/* a random number per start of the writer */
	const char *system;	/* names this boot of the system, or NULL;
				   copied */
	uint64_t segment_max;	/* bytes; 0: 16 MiB */
	int64_t rotate_age_ms;	/* 0: a day */
	int64_t seal_ms;	/* at least so often; 0: 15 minutes */
};

struct jfile *jfile_new(const struct jfile_conf *);
/* From now on these limits; the rest of conf is not looked at. */
void jfile_configure(struct jfile *, const struct jfile_conf *);
/* Closes; what waits is dropped. */
void jfile_free(struct jfile *);
int jfile_dirfd(struct jfile *);	/* opens it if need be; -1 with errno */

/*
 * Say where the stream stands before anything was added.  fresh: offsets
 * start anew, they have nothing to do with those of earlier segments.
 */
void jfile_set_offset(struct jfile *, uint64_t offset, bool fresh);

/*
 * Adding a record: write it to jfile_end, which has room for JFILE_ROOM bytes
 * while jfile_is_full is false, then jfile_add.  end: the offset after the
 * last finished record, shown: after the previews beyond it, too.
 */
bool jfile_is_full(const struct jfile *);
char *jfile_end(struct jfile *);
void jfile_add(struct jfile *, size_t n, uint64_t end, uint64_t shown);

/* Go on in a new segment once what waits is written. */
void jfile_rotate(struct jfile *);

/*
 * Write all that waits, opening a segment if none is open; `when` becomes its
 * first time (unless what waits is older).  0, or -1: see jfile_problem; call
 * again later.
 */
int jfile_write(struct jfile *, struct stamp when);

/* A last seal; nothing is added after it.  0, or -1: see jfile_problem. */
int jfile_finish(struct jfile *, struct stamp when);

/* The next jfile_write ends with a seal. */
void jfile_want_seal(struct jfile *);

/* When jfile_write has to be called though nothing waits: to seal, or to go on
   in a new segment.  False: never. */
bool jfile_due(const struct jfile *, struct mono *when);

/* The newest seal that is in the file. */
const struct seal_mark *jfile_mark(const struct jfile *);

/* A sync failed: what was added since is in doubt.  The next segment begins
   at offset; events that wait are kept, device bytes are not. */
void jfile_abandon(struct jfile *, uint64_t offset);

/*
 * Descriptors to fdatasync and close, the caller's from now on; returns how
 * many, 0 when everything was handed out before.  *upto: the offset that is
 * safe once all of them succeed.
 */
int jfile_take_sync(struct jfile *, int fds[JFILE_SYNC_FDS], uint64_t *upto);
bool jfile_wants_sync(const struct jfile *);	/* closed segments wait */
bool jfile_is_dirty(const struct jfile *);

const char *jfile_problem(const struct jfile *);	/* "": all is well */
uint64_t jfile_written(const struct jfile *);	/* previews count */
uint64_t jfile_bytes(const struct jfile *);	/* size of the segment */
const char *jfile_path(const struct jfile *);	/* "" when none is open */
/* utc - mono when the segment began: tells a clock step.  Has it one? */
bool jfile_clock(const struct jfile *, int64_t *difference);

#endif
