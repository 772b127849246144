#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "syslogd.h"

#define RECORD_MAX 2304		/* a line of the log, and what goes before it */
#define RECORD_SHORT 1024	/* that every system takes */

static struct {
	pthread_mutex_t lock;
	int fd;
	bool stream;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
} state = { PTHREAD_MUTEX_INITIALIZER, -1, false, _PATH_LOG };

static void
hang_up(void)
{
	int saved = errno;

	if (state.fd != -1)
		close(state.fd);
	state.fd = -1;
	errno = saved;
}

static int
call_as(int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	state.fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (state.fd == -1)
		return -1;
	strcpy(un.sun_path, state.path);
	if (connect(state.fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return 0;
	hang_up();
	return -1;
}

/* Some loggers have a stream there. */
static int
call(void)
{
	state.stream = false;
	if (call_as(SOCK_DGRAM) == 0)
		return 0;
	if (errno != EPROTOTYPE)
		return -1;
	state.stream = true;
	return call_as(SOCK_STREAM);
}

static int
say(const char *record, size_t n)
{
	ssize_t sent;

	if (state.fd == -1 && call() == -1)
		return -1;
	/* In a stream the NUL ends a record. */
	if (state.stream)
		n++;
	sent = send(state.fd, record, n, MSG_NOSIGNAL);
	if (sent == -1 && errno == EMSGSIZE && n > RECORD_SHORT)
		return say(record, RECORD_SHORT);
	if (sent == (ssize_t)n)
		return 0;
	/* Also when it is only full: who is there now may be another one. */
	if (sent != -1)
		errno = EAGAIN;
	hang_up();
	return -1;
}

void
syslogd_at(const char *path)
{
	pthread_mutex_lock(&state.lock);
	hang_up();
	snprintf(state.path, sizeof(state.path), "%s",
	    path == NULL ? _PATH_LOG : path);
	pthread_mutex_unlock(&state.lock);
}

int
syslogd_send(int prio, const char *tag, pid_t pid, const char *text)
{
	char record[RECORD_MAX], when[32];
	time_t now = time(NULL);
	struct tm tm;
	bool had;
	int n, r;

	if (localtime_r(&now, &tm) == NULL ||
	    strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm) == 0)
		when[0] = '\0';
	n = snprintf(record, sizeof(record), "<%d>%s %s[%ld]: %s",
	    LOG_DAEMON | prio, when, tag, (long)pid, text);
	if (n >= (int)sizeof(record))
		n = sizeof(record) - 1;
	pthread_mutex_lock(&state.lock);
	had = state.fd != -1;
	r = say(record, (size_t)n);
	/* The one that we knew is gone; there may be a new one. */
	if (r == -1 && had)
		r = say(record, (size_t)n);
	pthread_mutex_unlock(&state.lock);
	return r;
}
