/* epoll(7). */
#include <sys/epoll.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "os.h"
#include "waiter.h"

#define AT_ONCE 64
#define EXACT_MS 100
#define LONG_SEC 86400

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT &&
    EPOLLPRI == POLLPRI && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
    "the bits of epoll(7) are those of poll(2)");

/*
 * What the kernel does not take: a file on a disk and /dev/null, which are
 * always ready, and what is no descriptor at all.
 */
struct plain {
	int fd;
	short revents;
	uint64_t id;
};

struct waiter {
	int fd;
	struct plain *plain;
	size_t nplain;
};

struct waiter *
waiter_new(void)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->fd == -1)
		fatal("loop: epoll");
	return w;
}

void
waiter_free(struct waiter *w)
{
	close(w->fd);
	free(w->plain);
	free(w);
}

static int
add_plain(struct waiter *w, int fd, short revents, uint64_t id)
{
	w->plain = xreallocarray(w->plain, w->nplain + 1, sizeof(*w->plain));
	w->plain[w->nplain++] = (struct plain){ fd, revents, id };
	return 0;
}

static struct plain *
find_plain(const struct waiter *w, int fd)
{
	for (size_t i = 0; i < w->nplain; i++) {
		if (w->plain[i].fd == fd)
			return &w->plain[i];
	}
	return NULL;
}

static int
tell(const struct waiter *w, int what, int fd, short events, uint64_t id)
{
	struct epoll_event e = {
		.events = (unsigned short)events,
		.data.u64 = id,
	};

	return epoll_ctl(w->fd, what, fd, &e);
}

int
waiter_add(struct waiter *w, int fd, short events, uint64_t id)
{
	if (tell(w, EPOLL_CTL_ADD, fd, events, id) == 0)
		return 0;
	if (errno == EPERM)
		return add_plain(w, fd, events & (POLLIN | POLLOUT), id);
	if (errno == EBADF)
		return add_plain(w, fd, POLLNVAL, id);
	return -1;
}

int
waiter_change(struct waiter *w, int fd, short events, uint64_t id)
{
	struct plain *p = find_plain(w, fd);

	if (p == NULL)
		return tell(w, EPOLL_CTL_MOD, fd, events, id);
	if (p->revents != POLLNVAL)
		p->revents = events & (POLLIN | POLLOUT);
	p->id = id;
	return 0;
}

void
waiter_drop(struct waiter *w, int fd)
{
	struct plain *p = find_plain(w, fd);

	if (p != NULL)
		*p = w->plain[--w->nplain];
	else
		(void)tell(w, EPOLL_CTL_DEL, fd, 0, 0);
}

/* -1: for ever. */
static int
whole_ms(const struct timespec *t)
{
	if (t == NULL)
		return -1;
	if (t->tv_sec >= LONG_SEC)
		return LONG_SEC * 1000;		/* and look again */
	return (int)(t->tv_sec * 1000 + (t->tv_nsec + 999999) / 1000000);
}

/*
 * To the millisecond when it is long, or nothing is waited for; else as
 * exactly as ppoll(2) does.  (epoll_pwait2(2) would do both, but older kernels
 * and valgrind have none.)
 */
static int
sleep_on(const struct waiter *w, const struct timespec *timeout,
    struct epoll_event *e, int max)
{
	struct pollfd all = { .fd = w->fd, .events = POLLIN };
	int n, ms = whole_ms(timeout);

	if (ms <= 0 || ms >= EXACT_MS)
		return epoll_wait(w->fd, e, max, ms);
	n = os_poll(&all, 1, timeout);
	return n <= 0 ? n : epoll_wait(w->fd, e, max, 0);
}

int
waiter_sleep(struct waiter *w, const struct timespec *timeout,
    struct waiter_event *events, size_t max)
{
	static const struct timespec at_once;
	struct epoll_event e[AT_ONCE];
	size_t found = 0;
	int n;

	for (size_t i = 0; i < w->nplain && found < max / 2; i++) {
		if (w->plain[i].revents == 0)
			continue;
		events[found].id = w->plain[i].id;
		events[found++].revents = w->plain[i].revents;
	}
	if (max - found > AT_ONCE)
		max = found + AT_ONCE;
	n = sleep_on(w, found > 0 ? &at_once : timeout, e,
	    (int)(max - found));
	if (n == -1)
		return found > 0 ? (int)found : -1;
	for (int i = 0; i < n; i++) {
		events[found].id = e[i].data.u64;
		events[found++].revents = (short)e[i].events;
	}
	return (int)found;
}
