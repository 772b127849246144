/*
 * helper: one child process for what may block or is somebody else's program,
 * within bounded time: killed with its group when it is over, and reaped.
 * Needs no SIGCHLD.
 */
#ifndef MODEM_HELPER_H
#define MODEM_HELPER_H

#include <stdint.h>

#include "../server/base/loop.h"

struct helper;

/*
 * status: its exit status; -1: killed, by us or others.  why says that in
 * words.  The helper is gone when this is called.
 */
typedef void helper_done_fn(void *arg, int status, const char *why);

/*
 * Run a program (argv[0] is its path; ends with NULL) with nothing but
 * /dev/null open, PATH, and argv; or a function of ours, whose result is the
 * status.  NULL with errno when it cannot be started.
 */
struct helper *helper_exec(struct loop *, const char *const argv[],
    int64_t ms, helper_done_fn *, void *arg);
struct helper *helper_call(struct loop *, int (*fn)(const char *),
    const char *word, int64_t ms, helper_done_fn *, void *arg);

/* Kill and reap without a callback.  NULL is fine. */
void helper_free(struct helper *);

#endif
