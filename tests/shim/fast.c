/*
 * fast.so: in the program that it is loaded into the monotonic clock runs
 * OOBD_FAST times as fast, and what waits in ppoll(2) waits that much less:
 * for minutes that a test would have to sit through.  The wall clock is left
 * alone.
 */
#include <sys/syscall.h>

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t
factor(void)
{
	const char *text = getenv("OOBD_FAST");
	int64_t n = text == NULL ? 1 : atoi(text);

	return n > 0 ? n : 1;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long r = syscall(SYS_clock_gettime, id, ts);
	__int128_t ns;

	if (r == 0 && id == CLOCK_MONOTONIC) {
		ns = ((__int128_t)ts->tv_sec * 1000000000 + ts->tv_nsec) *
		    factor();
		ts->tv_sec = (time_t)(ns / 1000000000);
		ts->tv_nsec = (long)(ns % 1000000000);
	}
	return (int)r;
}

int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
    const sigset_t *mask)
{
	struct timespec less;
	int64_t ns;

	if (ts != NULL) {
		ns = ((int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec) /
		    factor();
		less.tv_sec = (time_t)(ns / 1000000000);
		less.tv_nsec = (long)(ns % 1000000000);
		ts = &less;
	}
	return (int)syscall(SYS_ppoll, fds, n, ts, mask, _NSIG / 8);
}
