/*
 * syncer: a thread that does fdatasync(2), so that the thread that writes the
 * journals never waits for a slow disk to settle.
 */
#ifndef SERIAL_SYNCER_H
#define SERIAL_SYNCER_H

#include <stdint.h>

#include "jfile.h"

struct syncer;

struct sync_job {
	int fds[JFILE_SYNC_FDS];	/* closed by the syncer */
	int nfds;
	uint64_t upto;
	struct seal_mark mark;	/* the newest seal in them */
	const char *note_path;	/* then replace this file, or NULL */
	char note[200];		/* by this text */
	void *tag;
	int error;		/* when done: 0, or the first errno */
	struct sync_job *next;	/* private */
};

/* done is called from the syncer's thread, once per job, in order. */
typedef void sync_done_fn(void *arg, const struct sync_job *);

/* NULL with errno. */
struct syncer *syncer_start(sync_done_fn *, void *arg);
/* The job is copied.  Its owner bounds how many are under way. */
void syncer_add(struct syncer *, const struct sync_job *);
/* Does what was added, ends the thread, frees. */
void syncer_stop(struct syncer *);

#endif
