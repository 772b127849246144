/*
 * waiter: what a loop sleeps on.  One file per way: waiter_linux.c is
 * epoll(7), whose cost does not grow with what is watched and which does not
 * ask every terminal anew each time; waiter_poll.c is poll(2), for everybody
 * else.  Events are poll(2)'s bits.  Only loop.c uses it.
 */
#ifndef BASE_WAITER_H
#define BASE_WAITER_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct waiter;

struct waiter_event {
	uint64_t id;		/* as given to waiter_add */
	short revents;
};

/* Ends the process when there is no descriptor for it. */
struct waiter *waiter_new(void);
void waiter_free(struct waiter *);

/*
 * Watch fd, which is not watched yet, for these events; POLLERR, POLLHUP and
 * POLLNVAL always come.  A file that never waits is always ready.  The fd
 * stays the caller's.  0, or -1 with errno: there is no memory for it now.
 */
int waiter_add(struct waiter *, int fd, short events, uint64_t id);
/* Other events for a watched one.  The same. */
int waiter_change(struct waiter *, int fd, short events, uint64_t id);
/*
 * To be called first, then close.  What was closed before is forgotten, but
 * not while a copy of it is open elsewhere: its events go on with its old id.
 */
void waiter_drop(struct waiter *, int fd);

/*
 * Sleep until something is there, or the timeout (NULL: none) is over, or a
 * signal came.  How many of at most max events were filled in, the rest come
 * next time; -1 with errno.
 */
int waiter_sleep(struct waiter *, const struct timespec *timeout,
    struct waiter_event *, size_t max);

#endif
