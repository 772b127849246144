#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "syslogd.h"

#define TAG_MAX 32
#define PAIR_BYTES (64 * 1024)	/* with what the system adds: 150 short lines */
#define LAST_TRIES 100		/* 10 ms apart, of what is said before an end */

static struct {
	enum log_to to;
	bool debug;
	char tag[TAG_MAX];
	int fd;			/* of a pair, or -1 */
	atomic_bool holding;
	atomic_uint lost;	/* not told yet */
} state = { LOG_TO_STDERR, false, "oobd", -1, false, 0 };

static void
make_tag(char tag[TAG_MAX], const char *role)
{
	if (role == NULL)
		snprintf(tag, TAG_MAX, "oobd");
	else
		snprintf(tag, TAG_MAX, "oobd[%s]", role);
}

void
log_open(const char *role, enum log_to to, bool debug)
{
	make_tag(state.tag, role);
	state.to = to;
	state.debug = debug;
	state.fd = to == LOG_TO_SUPERVISOR ? LOG_FD : -1;
	state.holding = false;
	state.lost = 0;
}

/* Records, not a stream; not datagrams, whose sockets send to any address. */
int
log_pair(int pair[2])
{
	const int bytes = PAIR_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	/* One of them counts, on each system another one. */
	setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

void
log_hold(int fd)
{
	state.fd = fd;
	state.holding = false;
}

void
log_release(void)
{
	state.holding = false;
}

/* Copy src to dst with control bytes as \xNN; valid UTF-8 passes. */
static void
clean(char *dst, size_t size, const char *src)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *src != '\0' && n + 5 < size; src++) {
		unsigned char c = (unsigned char)*src;

		if (c >= 0x20 && c != 0x7f) {
			dst[n++] = (char)c;
			continue;
		}
		dst[n++] = '\\';
		dst[n++] = 'x';
		dst[n++] = hex[c >> 4];
		dst[n++] = hex[c & 15];
	}
	dst[n] = '\0';
}

/* MSG_EOR: some systems want to be told where a record ends. */
static int
write_record(int prio, const char *line)
{
	char record[LOG_RECORD];
	int n = snprintf(record, sizeof(record), "%c%s", prio, line);

	if (n >= (int)sizeof(record))
		n = sizeof(record) - 1;
	return send(state.fd, record, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL |
	    MSG_EOR) == n ? 0 : -1;
}

static int
hand_on(int prio, const char *line)
{
	/* What is said before an end, nobody would come to pass on. */
	bool last = prio == LOG_CRIT;

	if (state.to == LOG_TO_SYSLOG && (last || !state.holding)) {
		if (syslogd_send(prio, state.tag, getpid(), line) == 0)
			return 0;
		if (last || state.fd == -1)
			return -1;
		state.holding = true;
	}
	return state.fd == -1 ? -1 : write_record(prio, line);
}

/* Behind the number of those that were lost before it. */
static int
hand_on_all(int prio, const char *line)
{
	unsigned lost = atomic_exchange(&state.lost, 0);
	char told[64];

	snprintf(told, sizeof(told), "%u messages were lost here", lost);
	if (lost > 0 && hand_on(LOG_WARNING, told) == -1) {
		atomic_fetch_add(&state.lost, lost);
		return -1;
	}
	return hand_on(prio, line);
}

/* Of no use to somebody who is not there. */
static bool
may_wait(int prio, unsigned tries)
{
	const struct timespec pause = { 0, 10 * 1000 * 1000 };

	if (prio != LOG_CRIT || tries == LAST_TRIES ||
	    (errno != EAGAIN && errno != ENOBUFS))
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static void
pass_line(int prio, const char *line)
{
	unsigned tries = 1;

	while (hand_on_all(prio, line) == -1) {
		if (!may_wait(prio, tries++)) {
			atomic_fetch_add(&state.lost, 1);
			return;
		}
	}
}

static void __attribute__((format(printf, 3, 0)))
vlog(int prio, bool with_errno, const char *fmt, va_list ap)
{
	char raw[LOG_RECORD], line[LOG_RECORD];
	int saved = errno;
	size_t n;

	vsnprintf(raw, sizeof(raw), fmt, ap);
	n = strlen(raw);
	if (with_errno && n < sizeof(raw))
		snprintf(raw + n, sizeof(raw) - n, ": %s", strerror(saved));
	clean(line, sizeof(line), raw);
	if (state.to == LOG_TO_STDERR)
		dprintf(STDERR_FILENO, "%s: %s\n", state.tag, line);
	else
		pass_line(prio, line);
	errno = saved;
}

int
log_pass(const char *role, pid_t pid, const char *record, size_t n)
{
	char tag[TAG_MAX], raw[LOG_RECORD], line[LOG_RECORD];
	int prio = n > 0 ? record[0] : 0;

	make_tag(tag, role);
	/* Of those above, some make a syslogd shout on every terminal. */
	if (prio < LOG_CRIT || prio > LOG_DEBUG)
		prio = LOG_ERR;
	snprintf(raw, sizeof(raw), "%.*s", n > 0 ? (int)n - 1 : 0,
	    n > 0 ? record + 1 : "");
	clean(line, sizeof(line), raw);
	return syslogd_send(prio, tag, pid, line);
}

#define VLOG(prio, with_errno, fmt) do {				\
	va_list ap;							\
									\
	va_start(ap, fmt);						\
	vlog(prio, with_errno, fmt, ap);				\
	va_end(ap);							\
} while (0)

void
log_error(const char *fmt, ...)
{
	VLOG(LOG_ERR, false, fmt);
}

void
log_warn(const char *fmt, ...)
{
	VLOG(LOG_WARNING, false, fmt);
}

void
log_info(const char *fmt, ...)
{
	VLOG(LOG_INFO, false, fmt);
}

void
log_debug(const char *fmt, ...)
{
	if (state.debug)
		VLOG(LOG_DEBUG, false, fmt);
}

void
log_errno(const char *fmt, ...)
{
	VLOG(LOG_ERR, true, fmt);
}

void
fatal(const char *fmt, ...)
{
	VLOG(LOG_CRIT, true, fmt);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	VLOG(LOG_CRIT, false, fmt);
	exit(1);
}
