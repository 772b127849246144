/*
 * link: frames over a connected, non-blocking Unix stream socket, with file
 * descriptor passing and a bounded queue out.  It never blocks.
 */
#ifndef BASE_LINK_H
#define BASE_LINK_H

#include <stdbool.h>

#include "frame.h"
#include "loop.h"

struct link;

/*
 * A frame came.  fd is -1 or a descriptor that is now the callee's to close;
 * -1, too, when one was sent and this process has too many open to get it.
 * Returning -1 says the peer broke the protocol: the link goes down with
 * "bad frame".
 */
typedef int link_frame_fn(void *arg, struct frame *, int fd);

/*
 * The link is down: peer gone, protocol broken, or its queue full.  Called
 * once, from the loop; link_free is still the owner's to call (here, or from
 * any other callback, is fine).
 */
typedef void link_down_fn(void *arg, const char *why);

/* The queue fell below half after link_room had been under two frames. */
typedef void link_room_fn(void *arg);

struct link_ops {
	link_frame_fn *frame;
	link_down_fn *down;
	link_room_fn *room;	/* may be NULL */
};

/*
 * Take over fd (made non-blocking; closed by link_free).  out_max bounds the
 * bytes queued; when a frame does not fit, the link goes down rather than
 * lose one: ask link_room before sending bulk.  Never NULL.
 */
struct link *link_new(struct loop *, int fd, size_t out_max,
    const struct link_ops *, void *arg);
void link_free(struct link *);		/* NULL is fine; queued bytes are lost */

/*
 * A frame: link_start gives the (per-link) block to put fields into,
 * link_send queues it.  link_send_fd passes fd along (the caller keeps its
 * own).  It leaves when the socket is next found writable; call link_flush
 * once after a batch of frames to save that turn of the loop.
 */
struct frame_out *link_start(struct link *, uint16_t type);
void link_send(struct link *);
void link_send_fd(struct link *, int fd);

/* Bytes that can be queued now (a frame's header counts). */
size_t link_room(struct link *);
size_t link_queued(const struct link *);

/* Write what the socket takes now. */
void link_flush(struct link *);

/* Stop or go on reading from the peer. */
void link_hold(struct link *, bool hold);

int link_fd(const struct link *);

#endif
