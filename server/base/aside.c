#include <sys/file.h>
#include <sys/ioctl.h>

#include <stdint.h>
#include <termios.h>
#include <unistd.h>

#include "aside.h"
#include "thread.h"

static void *
run(void *arg)
{
	close((int)(intptr_t)arg);
	return NULL;
}

void
aside_close(int fd)
{
	pthread_t thread;

	if (!isatty(fd)) {
		close(fd);
		return;
	}
	tcflush(fd, TCOFLUSH);
	flock(fd, LOCK_UN);
	ioctl(fd, TIOCNXCL);
	if (thread_start(&thread, run, (void *)(intptr_t)fd) == 0)
		pthread_detach(thread);
	else
		close(fd);
}
