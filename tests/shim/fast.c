/*
 * fast.so: in the program that it is loaded into the monotonic clock runs as
 * many times as fast as the file OOBD_FAST says, and has skipped as many
 * seconds as the second number there: for the minutes that a test would have
 * to sit through.  The file may change at any time, the second number only
 * grow.  What waits in ppoll(2) or epoll_wait(2) waits that much less.  The
 * wall clock is left alone.  How far the clock has come is in the file
 * OOBD_FAST.base, for a program that follows.
 */
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define NAP (SECOND / 5)	/* at most, to see that the file changed */

/* The clock ran from here on, so fast. */
static struct {
	int64_t real, shown;	/* ns; real 0: not yet */
	int64_t factor;
} since;

static int64_t
read_factor(int64_t *skipped)
{
	const char *path = getenv("OOBD_FAST");
	char text[64] = "", *end;
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	int64_t n;

	*skipped = 0;
	if (fd == -1)
		return 1;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(fd);
	n = strtol(text, &end, 10);
	*skipped = strtol(end, NULL, 10) * SECOND;
	return n > 0 ? n : 1;
}

static void
open_base(char path[PATH_MAX])
{
	const char *name = getenv("OOBD_FAST");

	snprintf(path, PATH_MAX, "%s.base", name == NULL ? "" : name);
}

/* What a predecessor left. */
static void
read_base(int64_t now)
{
	char path[PATH_MAX];
	int64_t past[3];
	int fd;

	since.real = since.shown = now;
	since.factor = 1;
	open_base(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	if (read(fd, past, sizeof(past)) == (ssize_t)sizeof(past)) {
		since.real = past[0];
		since.shown = past[1];
		since.factor = past[2];
	}
	close(fd);
}

static void
write_base(void)
{
	const int64_t now[] = { since.real, since.shown, since.factor };
	char path[PATH_MAX];
	int fd;

	open_base(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	(void)!write(fd, now, sizeof(now));
	close(fd);
}

static int64_t
real_ns(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static int64_t
shown_ns(void)
{
	int64_t now = real_ns(), skipped, factor = read_factor(&skipped);

	if (since.real == 0)
		read_base(now);
	if (factor != since.factor) {
		since.shown += (now - since.real) * since.factor;
		since.real = now;
		since.factor = factor;
		write_base();
	}
	return since.shown + (now - since.real) * since.factor + skipped;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns;

	if (id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, ts);
	ns = shown_ns();
	ts->tv_sec = (time_t)(ns / SECOND);
	ts->tv_nsec = (long)(ns % SECOND);
	return 0;
}

/* Of this time (negative: for ever), by our clock, the real one. */
static int64_t
less(int64_t ns)
{
	int64_t skipped, factor = read_factor(&skipped);

	return ns < 0 || ns / factor > NAP ? NAP : ns / factor;
}

int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
    const sigset_t *mask)
{
	int64_t ns = less(ts == NULL ? -1 : ts->tv_sec * SECOND + ts->tv_nsec);
	struct timespec real = { (time_t)(ns / SECOND), (long)(ns % SECOND) };

	return (int)syscall(SYS_ppoll, fds, n, &real, mask, _NSIG / 8);
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
	int64_t ns = less(ms < 0 ? -1 : ms * (SECOND / 1000));

	return epoll_pwait(fd, events, max,
	    (int)((ns + SECOND / 1000 - 1) / (SECOND / 1000)), NULL);
}
