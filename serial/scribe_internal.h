/*
 * scribe_internal: shared by scribe.c (the queue, the thread, its callers) and
 * scribe_log.c (what the thread does with one console's journal).
 */
#ifndef SERIAL_SCRIBE_INTERNAL_H
#define SERIAL_SCRIBE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

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
	struct history *history;
	char *console;
	/* The thread's own. */
	struct journal *journal;
	struct waiting *current;	/* taken from the queue, not yet written */
	uint64_t synced;
	int64_t dirty_since;		/* mono us; SCRIBE_NEVER: nothing to sync */
	unsigned sync_fails;
	bool failing;
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
	int sync_error;
	struct scribe_state state;
	/* Anybody's. */
	atomic_bool poked, urgent;
	_Atomic uint64_t taken;		/* the journal has these in memory */
	_Atomic uint64_t written;	/* and these in the file */
	_Atomic int64_t typing_until;
};

struct scribe {
	struct loop *loop;
	struct scribe_conf conf;
	char *box, *log_dir;
	uint64_t boot;
	void (*changed)(void *arg, struct scribe_log *);
	void *arg;
	struct watch *watch;
	int pipe[2];			/* thread to loop */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, quiet;	/* the thread's, its callers' */
	struct syncer *syncer;
	/* Under the lock. */
	struct scribe_log **logs;
	size_t nlogs;
	size_t turn;			/* whose turn is next */
	int64_t wake_at;		/* when the thread wakes by itself */
	uint64_t gen;
	struct flush *flushes, *flushed;
	bool stopping, ended;
	/* The thread's own. */
	uint8_t block[SCRIBE_BLOCK];
};

/* Have the thread look at this log at `due`, mono us.  Under the lock. */
void scribe_schedule(struct scribe_log *, int64_t due);
/* Have the loop look at what changed. */
void scribe_tell_loop(struct scribe *);

/*
 * Journal what there is.  Thread, not under the lock.  closing: for the last
 * time.  Returns when the next run is due, mono us.
 */
int64_t scribe_log_run(struct scribe_log *, bool closing, bool show_all);

#endif
