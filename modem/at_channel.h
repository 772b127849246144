/*
 * at_channel: an at_queue on an at_port with the timer it needs.  The queue
 * (with its subscriptions) lives as long as the channel, over any number of
 * descriptors.
 */
#ifndef MODEM_AT_CHANNEL_H
#define MODEM_AT_CHANNEL_H

#include <stdbool.h>

#include "../server/base/loop.h"
#include "at_queue.h"

struct at_channel;

struct at_channel_ops {
	void (*synced)(void *arg, struct at_channel *);
	void (*silent)(void *arg, struct at_channel *, const char *why);
	/* The descriptor is closed, commands were told. */
	void (*gone)(void *arg, struct at_channel *, const char *why);
};

/* Without a descriptor yet.  name is for the log.  Never NULL. */
struct at_channel *at_channel_new(struct loop *, const char *name,
    const struct at_channel_ops *, void *arg);
void at_channel_free(struct at_channel *);	/* closes; NULL is fine */

/* Take over a descriptor (an older one is closed) and resynchronise. */
void at_channel_open(struct at_channel *, int fd);
void at_channel_close(struct at_channel *);
bool at_channel_is_open(const struct at_channel *);

/*
 * Behind AT_CONNECT: the descriptor, now the caller's, with every byte that
 * came after CONNECT's line still unread.  -1 when there is none.
 */
int at_channel_release(struct at_channel *);

/*
 * To bring back a line that does not answer: bytes past the queue (0 or -1),
 * and the descriptor for ioctls (still the channel's; -1: none).
 */
int at_channel_raw(struct at_channel *, const void *, size_t);
int at_channel_fd(const struct at_channel *);

struct at_queue *at_channel_queue(struct at_channel *);

#endif
