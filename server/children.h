/*
 * children: our own program run again in a role.  A kept child is restarted
 * with back-off whenever it ends, and killed when it does not answer a ping
 * within its deadline; a job runs once, with a time limit.  Every child is
 * reaped here; none outlives children_free.
 */
#ifndef SERVER_CHILDREN_H
#define SERVER_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/link.h"
#include "base/loop.h"

#define CHILD_FD 3		/* where every role finds its socket */

struct herald;
struct children;
struct child;
struct job;

struct children_conf {
	const char *program;	/* absolute path of oobd */
	bool debug;
	struct herald *herald;	/* of their messages; NULL: to stderr */
	bool sandbox;		/* children confine themselves */
	bool drop;		/* become uid/gid in children */
	uid_t uid;
	gid_t gid;
	const char *user;	/* name of uid, for supplementary groups */
	int64_t deadline_ms;	/* a ping must be answered in this time */
};

struct child_ops {
	/* A new process runs: send it what it needs. */
	void (*started)(void *arg, struct child *);
	/* A frame came, SV/UP_PONG excepted; see link_frame_fn. */
	int (*frame)(void *arg, struct child *, struct frame *, int fd);
	/* It ended; it is started again after wait_ms (-1: stopping). */
	void (*ended)(void *arg, struct child *, const char *why,
	    int64_t wait_ms);
};

/*
 * A child that is killed for a system call that its sandbox forbids is told of
 * with the call's name; after CHILD_FORBIDDEN_MAX such ends without a healthy
 * run between them the call is refused instead, for as long as we run: still
 * confined, but nobody is locked out by a library that has changed.  One that
 * never gets ready, CHILD_UNREADY_MAX times in a row, is started without a
 * sandbox: until it is ready it hears of nobody outside, so nobody outside can
 * bring that about.
 */
#define CHILD_FORBIDDEN_MAX 3
#define CHILD_UNREADY_MAX 5

/* program must live as long.  Uses SIGCHLD of the loop. */
struct children *children_new(struct loop *, const struct children_conf *);
void children_free(struct children *);
/* From the next ping on, which is at most so far away. */
void children_set_deadline(struct children *, int64_t ms);

/* Keep one child of this role running from now on.  role: a literal. */
struct child *child_keep(struct children *, const char *role,
    const struct child_ops *, void *arg);
/* Its link, NULL while it does not run. */
struct link *child_link(struct child *);
const char *child_role(const struct child *);
pid_t child_pid(const struct child *);	/* 0 while it does not run */
unsigned child_restarts(const struct child *);
void child_is_ready(struct child *);

/*
 * Ask all to stop (SV_STOP): last, whom the others have things to tell until
 * then, when they are gone or a quarter of grace_ms is over.  Kill what is
 * left after grace_ms, then call done(arg).  Nothing is started again.
 */
void children_stop(struct children *, struct child *last, int64_t grace_ms,
    void (*done)(void *arg), void *arg);

/* It cannot go on like this, for a reason that lasts: it is killed, and begins
   anew as after any end. */
void child_kill(struct child *, const char *why);

/* What is to run once. */
struct job_conf {
	const char *role;
	int argc;
	char *const *argv;	/* its words, at least one */
	int fd;			/* its CHILD_FD; the caller keeps its own */
	bool privileged;	/* keep our user */
	int64_t limit_ms;	/* then it is killed; 0: none */
};

/*
 * Run a role once.  ended (may be NULL) gets the exit status, -1 when it was
 * killed.  NULL with errno when it cannot be started.
 */
struct job *job_run(struct children *, const struct job_conf *,
    void (*ended)(void *arg, int status), void *arg);
/* Kill it; ended is not called.  It is still reaped. */
void job_cancel(struct job *);
/* Kill it; ended is called once it is gone. */
void job_kill(struct job *);

#endif
