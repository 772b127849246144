/*
 * pace.so: lines have a transmitter.  What a program writes to a tty whose
 * queue it asked for (TIOCOUTQ) leaves at as many bytes a second as
 * OOBD_PACE says; until then it counts as queued.  The tty itself gets it at
 * once, so a test sees when it was written.  For one line; before shim.so,
 * if both are loaded.
 */
#include <sys/ioctl.h>

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	int fd;			/* -1: none asked yet */
	double queued, at;
} line = { .fd = -1 };

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
transmit(double rate)
{
	double now = seconds();

	line.queued -= (now - line.at) * rate;
	if (line.queued < 0)
		line.queued = 0;
	line.at = now;
}

int
ioctl(int fd, unsigned long request, ...)
{
	static int (*real)(int, unsigned long, ...);
	const char *rate = getenv("OOBD_PACE");
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (real == NULL) {
		void *sym = dlsym(RTLD_NEXT, "ioctl");

		memcpy(&real, &sym, sizeof(real));
	}
	if (request != TIOCOUTQ || rate == NULL)
		return real(fd, request, arg);
	line.fd = fd;
	transmit(atof(rate));
	*(int *)arg = (int)line.queued;
	return 0;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	static ssize_t (*real)(int, const void *, size_t);
	const char *rate = getenv("OOBD_PACE");
	ssize_t done;

	if (real == NULL) {
		void *sym = dlsym(RTLD_NEXT, "write");

		memcpy(&real, &sym, sizeof(real));
	}
	done = real(fd, p, n);
	if (done > 0 && fd == line.fd && rate != NULL) {
		transmit(atof(rate));
		line.queued += (double)done;
	}
	return done;
}
