/*
 * notify_run: the notify process's runs of programs, which the supervisor
 * starts (sink.h): at most so long, killed when nobody waits any more.
 */
#ifndef SERVER_NOTIFY_RUN_H
#define SERVER_NOTIFY_RUN_H

#include <stdint.h>

#include "base/link.h"
#include "notify_exec.h"

struct notify_runs;
struct notify_run;

struct notify_runs *notify_runs_new(struct loop *);	/* never NULL */
void notify_runs_free(struct notify_runs *);	/* after all runs; NULL: fine */

/* To the supervisor; it outlives the runs. */
void notify_runs_link(struct notify_runs *, struct link *up);
/* The supervisor's answer: fd, taken over, leads to the sink; -1: none. */
void notify_runs_take(struct notify_runs *, uint32_t request, int fd);

/*
 * Run the program of this notify section; env as notify_exec's.  All are
 * copied.  Never NULL.  It is gone when done is called, from the loop.
 */
struct notify_run *notify_run(struct notify_runs *, const char *section,
    const char *const *env, const char *text, notify_exec_fn *done,
    void *arg);
void notify_run_free(struct notify_run *);	/* no call; NULL is fine */

#endif
