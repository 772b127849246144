/*
 * notices: which events somebody is to be told of, in what words, and when.
 * One table has them all.  Some wait: a line that is back within a minute is
 * no news; what ended it takes them back, and is told only if they were.
 * No I/O but timers; at most NOTICES_OPEN_MAX are open at a time.
 */
#ifndef SERVER_NOTICES_H
#define SERVER_NOTICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "notify_queue.h"

#define NOTICES_OPEN_MAX 320	/* a line and a journal of each console... */

struct notices;

/* Tell this; strings live during the call; id is 0. */
typedef void notices_tell_fn(void *arg, const struct notify_event *);

struct notices *notices_new(struct loop *, notices_tell_fn *, void *arg);
void notices_free(struct notices *);		/* NULL is fine */

/*
 * Something happened: kind as in the journal ("relay-down"); source: console,
 * NULL: named by the text ("relay=NAME ..."), or the box; text: for people or
 * key=value.  Kinds that are in no table are nobody's news.
 */
void notices_event(struct notices *, const char *kind, const char *source,
    const char *text);

/*
 * The alert of this name went off on a console: event "alert-NAME", so that
 * each alert has a storm of its own.  text may have several lines.
 */
void notices_alert(struct notices *, enum notify_severity, const char *name,
    const char *console, const char *text);

/* The kinds that are told, for tests and documents; NULL: no more. */
const char *notices_kind_at(size_t i);

#endif
