/*
 * tidy: the thread that looks after closed segments: it packs them (pack.h)
 * and removes the oldest when there are too many.  It works a quarter of the
 * time at most, so that what records has the disk and the processor; and it
 * never touches a journal's newest segment.
 */
#ifndef SERIAL_TIDY_H
#define SERIAL_TIDY_H

#include <stdbool.h>
#include <stdint.h>

#include "jdir.h"

#define TIDY_EVERY_MS 60000	/* looks by itself so often */
#define TIDY_FREE_MOST (256 * 1024 * 1024)	/* keep_free 0: 5 %, or this */

struct tidy;

struct tidy_conf {
	bool pack;
	int64_t pack_after_ms;	/* ... what was written to so long ago */
	uint64_t keep_size;	/* bytes of all journals; 0: no limit */
	int64_t keep_age_ms;	/* 0: no limit */
	uint64_t keep_free;	/* bytes; 0: see TIDY_FREE_MOST */
};

/* One console's own limits. */
struct tidy_keep {
	uint64_t size;		/* 0: no limit of its own */
	int64_t age_ms;		/* the same */
};

struct tidy_removal {
	const char *console;
	const struct jdir_segment *segment;
	const struct jdir_segment *next;	/* there always is one */
	uint64_t bytes;
	const char *why;	/* one word: size, age, free */
};

struct tidy_ops {
	/*
	 * From the thread: this segment is about to be removed; what is to be
	 * said of it should be in the file when this returns.
	 */
	void (*removing)(void *arg, const struct tidy_removal *);
	/* From the thread.  False: that console has no limits of its own. */
	bool (*keep)(void *arg, const char *console, struct tidy_keep *);
};

/* NULL with errno. */
struct tidy *tidy_start(const char *log_dir, const struct tidy_conf *,
    const struct tidy_ops *, void *arg);
void tidy_configure(struct tidy *, const struct tidy_conf *);
/* Look now: a segment was closed, or the disk is full.  Cheap. */
void tidy_poke(struct tidy *);
/*
 * Ends the thread, in the middle of a segment if need be, and frees.  False:
 * the disk hangs, and the thread with it; nothing that it uses may be freed.
 */
bool tidy_stop(struct tidy *, int64_t deadline_ms);

#endif
