/*
 * notify_exec: one run of somebody's program: a text on its standard input,
 * an environment of our making, no other descriptors, and an end within
 * bounded time: killed with its group when that is over, and reaped.
 */
#ifndef SERVER_NOTIFY_EXEC_H
#define SERVER_NOTIFY_EXEC_H

#include "base/loop.h"

#define NOTIFY_EXEC_MS 30000
#define NOTIFY_EXEC_TEXT 4096	/* at most; a pipe takes that at once */

struct notify_exec;

/*
 * status: its exit status; -1: it could not be started, or was killed.  why
 * says that in words.  It is gone when this is called, from the loop.
 */
typedef void notify_exec_fn(void *arg, int status, const char *why);

/* All need to live only during the call. */
struct notify_exec_conf {
	const char *program;
	const char *const *env;	/* "NAME=value", NULL after the last; PATH is
				   put before them */
	const char *text;
	int64_t limit_ms;
};

/* Never NULL. */
struct notify_exec *notify_exec(struct loop *, const struct notify_exec_conf *,
    notify_exec_fn *, void *arg);

/* Kill and reap without a call.  NULL is fine. */
void notify_exec_free(struct notify_exec *);

#endif
