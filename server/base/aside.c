#include <sys/file.h>
#include <sys/ioctl.h>

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <termios.h>
#include <unistd.h>

#include "aside.h"

static void *
run(void *arg)
{
	close((int)(intptr_t)arg);
	return NULL;
}

/* Signals are for the loop, which is another thread's. */
static int
start(int fd)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, run, (void *)(intptr_t)fd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return r;
}

void
aside_close(int fd)
{
	if (!isatty(fd)) {
		close(fd);
		return;
	}
	tcflush(fd, TCOFLUSH);
	flock(fd, LOCK_UN);
	ioctl(fd, TIOCNXCL);
	if (start(fd) != 0)
		close(fd);
}
