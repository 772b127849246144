/*
 * notify_pump: the queue at work: kept in state_dir/notify/queue, handed to
 * each sink one message at a time, and shown by status.  What was taken is on
 * disk before notify_pump_add returns; a message may come twice when we are
 * killed between its being sent and that being written.
 */
#ifndef SERVER_NOTIFY_PUMP_H
#define SERVER_NOTIFY_PUMP_H

#include "feed.h"
#include "notify_post.h"

struct notify_pump;

struct notify_pump *notify_pump_new(struct loop *, struct notify_posts *,
    struct feed *);
void notify_pump_free(struct notify_pump *);	/* NULL is fine */

/*
 * The sinks there are from now on; the first time, what waits in the file is
 * taken up.  conf must live until the next call, or the pump's end.
 */
void notify_pump_configure(struct notify_pump *, const struct config *conf);

void notify_pump_add(struct notify_pump *, const struct notify_event *);

/* There is another way out: try again. */
void notify_pump_kick(struct notify_pump *);

#endif
