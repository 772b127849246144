/*
 * scribe: the thread that writes every console's journal.  It reads device
 * bytes from the shared history and events from a queue, so that a slow disk
 * never delays a line, a viewer or a key press; the history holds what it has
 * not yet written, through kill -9 of every process.
 */
#ifndef SERIAL_SCRIBE_H
#define SERIAL_SCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "../server/base/clock.h"
#include "../server/base/loop.h"
#include "history.h"
#include "seal.h"
#include "tidy.h"

struct scribe;
struct scribe_log;		/* one console's journal */

struct scribe_conf {
	const char *box;	/* name of the box */
	const char *log_dir;
	int64_t sync_typing_ms;	/* rule 5: 1 s while something is typed */
	int64_t sync_idle_ms;	/* 30 s otherwise */
	uint64_t rotate_size;	/* 0: as jfile.h */
	int64_t rotate_age_ms, seal_ms;	/* the same */
	const struct tidy_conf *tidy;	/* NULL: closed segments stay */
	bool box_chain;		/* keep the box's own journal, .box */
	const char *seal_path;	/* file for its newest seal, or NULL */
};

#define SCRIBE_SEAL_MS (15 * 60 * INT64_C(1000))

struct scribe_state {
	bool healthy;		/* false: nothing is being recorded now */
	char problem[160];	/* why, as errno text with the path */
	uint64_t written;	/* offset of the first byte not yet in the file */
	uint64_t lost;		/* device bytes lost to gaps since the start */
	uint64_t file_bytes;	/* of the current segment */
	char file[256];		/* path of the current segment */
};

/*
 * Start the thread.  The loop is told of changes in health through changed
 * (from the loop, never from the thread).  NULL with errno.
 */
struct scribe *scribe_start(struct loop *, const struct scribe_conf *,
    void (*changed)(void *arg, struct scribe_log *), void *arg);
/*
 * Write and sync everything, end the thread; at most deadline_ms.  False: the
 * disk hangs and the thread with it; nothing that it uses may be freed.
 */
bool scribe_stop(struct scribe *, int64_t deadline_ms);

/*
 * Open (or create) the journal of a console and agree with its history on
 * where the stream stands: what a crashed predecessor left in the history is
 * journalled; a history that is new (or does not fit) is restarted at the
 * journal's end.  Call before the first history_write.  Recovers a torn tail.
 * Never fails: a journal that cannot be written is unhealthy and is retried
 * every second.
 */
struct scribe_log *scribe_open(struct scribe *, const char *console,
    struct history *);
void scribe_close(struct scribe_log *);

/* What becomes of closed segments, after a reload; of one console's. */
void scribe_tidy(struct scribe *, const struct tidy_conf *);
void scribe_keep(struct scribe_log *, const struct tidy_keep *);

/*
 * The newest seal of the box's journal that is on the disk.  False: there is
 * none yet.  anchored (from the loop) is called when it changes; sign: it is
 * to be signed, and scribe_signed then takes the event for that.
 */
bool scribe_anchor(struct scribe *, struct seal_mark *);
void scribe_on_anchor(struct scribe *, void (*anchored)(void *arg, bool sign),
    void *arg);
void scribe_signed(struct scribe *, const char *text);
/* As scribe_event, into the box's journal; its caller bounds how many. */
void scribe_box_event(struct scribe *, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* New bytes are in the history (cheap; wakes the thread only if needed). */
void scribe_poke(struct scribe_log *);
/* Somebody is typing: the shorter sync interval for the next 5 s. */
void scribe_typing(struct scribe_log *);

/*
 * A trusted event at the history's current head: a word and key=value text
 * (values through str_safe).  Copied.  Never blocks; beyond 1024 waiting
 * events the oldest unwritten ones are counted into one "lost" event.  The
 * word "line" (the line came or went) ends an unfinished line of the device.
 */
void scribe_event(struct scribe_log *, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * So many bytes were typed by user; the n of them that may be recorded (0:
 * what was typed meanwhile is one count).
 */
void scribe_input(struct scribe_log *, const char *user, size_t typed,
    const void *content, size_t n);

/*
 * Call fn(arg) from the loop once all that was in the history and queue at
 * the time of the call is in the files (unfinished lines included), or the
 * disk refused it (see scribe_state).  In the order of the calls.
 */
void scribe_flush(struct scribe *, void (*fn)(void *arg), void *arg);

void scribe_state(struct scribe_log *, struct scribe_state *);
/* Offset below which everything is in the file; for holding back a flood. */
uint64_t scribe_written(struct scribe_log *);

#endif
