/*
 * scribe_internal: shared by scribe.c (the queue, the thread, its callers) and
 * scribe_log.c (what the thread does with one console's journal).
 */
#ifndef SERIAL_SCRIBE_INTERNAL_H
#define SERIAL_SCRIBE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "../server/base/os.h"
#include "journal.h"
#include "scribe.h"
#include "syncer.h"

#define SCRIBE_BLOCK 65536
#define SCRIBE_NEVER INT64_MAX

/* An event on its way from the loop to the thread. */
struct waiting {
	struct waiting *next;
	struct stamp when;
	uint64_t offset;
	enum record_type type;
	bool cuts;		/* ends an unfinished line */
	bool seals;		/* a seal is to follow it */
	char user[36];		/* input without content: who, how much */
	uint64_t typed;
	size_t n;
	char text[];
};

struct flush {
	struct flush *next;
	uint64_t gen;
	void (*fn)(void *arg);
	void *arg;
};

struct scribe_log {
	struct scribe *scribe;
	struct history *history;	/* NULL: the box's own, only events */
	char *console;
	/* The thread's own. */
	struct journal *journal;
	struct waiting *current;	/* taken from the queue, not yet written */
	uint64_t synced;
	int64_t dirty_since;		/* mono us; SCRIBE_NEVER: nothing to sync */
	unsigned sync_fails;
	bool failing;
	struct seal_mark boxed;		/* the newest that the box knows */
	int64_t boxed_at;		/* mono us */
	/* Under the scribe's lock. */
	struct waiting *first, **last;
	size_t nwaiting;
	uint64_t dropped;		/* events */
	int64_t due;			/* mono us when to run; SCRIBE_NEVER */
	uint64_t gen, gen_done;		/* of flushes */
	bool closing, closed, changed;
	bool refused;			/* the disk takes nothing: the thread
					   tries again by itself */
	bool syncing;			/* a job is with the syncer */
	bool sync_over;			/* and this is how it went: */
	uint64_t sync_upto;
	struct seal_mark sync_mark;
	int sync_error;
	struct scribe_state state;
	struct tidy_keep keep;
	/* Anybody's. */
	atomic_bool poked, urgent;
	_Atomic uint64_t taken;		/* the journal has these in memory */
	_Atomic uint64_t written;	/* and these in the file */
	_Atomic int64_t typing_until;
};

struct scribe {
	struct loop *loop;
	struct scribe_conf conf;
	char *box_name, *log_dir, *seal_path;
	uint64_t boot;
	char system[OS_BOOT_ID];
	void (*changed)(void *arg, struct scribe_log *);
	void *arg;
	struct watch *watch;
	int pipe[2];			/* thread to loop */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, quiet;	/* the thread's, its callers' */
	struct syncer *syncer;
	struct tidy *tidy;		/* or NULL */
	struct scribe_log *box;		/* or NULL */
	void (*anchored)(void *arg, bool sign);
	void *anchored_arg;
	/* Under the lock. */
	struct scribe_log **logs;
	size_t nlogs;
	size_t turn;			/* whose turn is next */
	int64_t wake_at;		/* when the thread wakes by itself */
	uint64_t gen;
	struct flush *flushes, *flushed;
	bool stopping, ended;
	struct seal_mark anchor;	/* the box's newest that is safe */
	bool anchor_told, want_sign;
	int64_t signed_at;		/* mono us; 0: never */
	/* The thread's own. */
	uint8_t block[SCRIBE_BLOCK];
};

/* Have the thread look at this log at `due`, mono us.  Under the lock. */
void scribe_schedule(struct scribe_log *, int64_t due);
/* An event on its way: room for text; add it.  Anybody. */
struct waiting *scribe_waiting_new(struct scribe_log *, enum record_type,
    size_t room);
void scribe_enqueue(struct scribe_log *, struct waiting *, int64_t due);
void scribe_enqueue_locked(struct scribe_log *, struct waiting *, int64_t due);

/* What is kept elsewhere of the box's newest seal. */
void scribe_box_note(const struct scribe *, const struct seal_mark *,
    char *dst, size_t size);

/* Have the loop look at what changed. */
void scribe_tell_loop(struct scribe *);

/*
 * Journal what there is.  Thread, not under the lock.  closing: for the last
 * time.  Returns when the next run is due, mono us.
 */
int64_t scribe_log_run(struct scribe_log *, bool closing, bool show_all);

#endif
