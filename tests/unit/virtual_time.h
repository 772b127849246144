/*
 * Time for tests that would have to wait: linked before libc, the monotonic
 * clock stands still while anything is ready and jumps to the next timer when
 * nothing is.  Include in one file of a test program.
 */
#ifndef TESTS_VIRTUAL_TIME_H
#define TESTS_VIRTUAL_TIME_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

int64_t virtual_us = 1000000000;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	ts->tv_sec = (time_t)(virtual_us / 1000000);
	ts->tv_nsec = (long)(virtual_us % 1000000) * 1000;
	return 0;
}

/* Nothing is ready: the time is over. */
static void
virtual_pass(int64_t us)
{
	virtual_us += us > 0 ? us : 1;
	/* Child processes live in real time: let them have some. */
	if (us >= 50000)
		usleep(300);
}

int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
    const sigset_t *mask)
{
	int r = poll(fds, n, ts == NULL ? -1 : 0);

	(void)mask;
	if (r == 0)
		virtual_pass((int64_t)ts->tv_sec * 1000000 +
		    ts->tv_nsec / 1000);
	return r;
}

#if __has_include(<sys/epoll.h>)
#include <sys/epoll.h>

int
epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
	int r = epoll_pwait(fd, events, max, ms < 0 ? -1 : 0, NULL);

	if (r == 0)
		virtual_pass((int64_t)ms * 1000);
	return r;
}
#endif

#endif
