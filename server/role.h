/*
 * role: what every kept child does alike when the supervisor speaks.
 */
#ifndef SERVER_ROLE_H
#define SERVER_ROLE_H

#include <stdbool.h>

#include "base/link.h"
#include "config.h"
#include "feed.h"

/*
 * The configuration in the file of an SV_CONFIG; fd stays the caller's.  The
 * caller owns the result.  NULL: it cannot be read, or has errors (logged),
 * though the supervisor had accepted it.
 */
struct config *role_config(int fd);

/* Answer an SV_PING at once.  0, or -1: a bad frame. */
int role_pong(struct link *up, struct frame *);

/*
 * Say UP_READY, once the console process has answered us, too: only then do
 * verbs for us find us.  *due: to be called again when the feed is up.
 */
void role_ready(struct link *up, const struct feed *, bool *due);

/* Answer a verb that this process does not run, or not now. */
void role_cannot(struct feed *, const struct feed_task *, const char *process);

#endif
