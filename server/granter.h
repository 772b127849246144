/*
 * granter: the console process's grants (grants.h).  It keeps them in
 * STATE_DIR/witness/grants, written by a thread within a moment of a change and every
 * GRANTER_SAVE_MS while there are any; tells the ssh process for whom there
 * are some; and has a right that came or went hold at once for whoever is
 * attached.  Every change is an event in the console's journal and the box's.
 */
#ifndef SERVER_GRANTER_H
#define SERVER_GRANTER_H

#include "client.h"
#include "grants.h"

#define GRANTER_SAVE_MS (60 * 1000)
#define GRANTER_WARN_MS (5 * 60 * 1000)	/* before its end */

struct granter;

/* Reads what there was; damaged lines are logged and left out. */
struct granter *granter_new(struct console *);
/* At most deadline_ms.  False: the disk hangs, nothing was freed. */
bool granter_stop(struct granter *, int64_t deadline_ms);

/* Give it, for ms: 0, or -1 when there are too many. */
int granter_give(struct granter *, const struct grant *what, int64_t ms);

/* Take it away again; by: who does. */
void granter_take(struct granter *, struct grant *, const char *by);

/* The grant of this user for that console, or NULL; of all, by index. */
struct grant *granter_find(const struct granter *, const char *user,
    const char *console);
size_t granter_count(const struct granter *);
struct grant *granter_at(const struct granter *, size_t i);

/* The fields of AN_GRANTS. */
void granter_put(const struct granter *, struct frame_out *);

#endif
