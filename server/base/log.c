#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"

#define LINE_MAX_BYTES 2048

static struct {
	enum log_to to;
	bool debug;
	char tag[32];
} state = { LOG_TO_STDERR, false, "oobd" };

void
log_open(const char *role, enum log_to to, bool debug)
{
	if (role == NULL)
		snprintf(state.tag, sizeof(state.tag), "oobd");
	else
		snprintf(state.tag, sizeof(state.tag), "oobd[%s]", role);
	state.to = to;
	state.debug = debug;
	if (to == LOG_TO_SYSLOG)
		openlog(state.tag, LOG_PID | LOG_NDELAY, LOG_DAEMON);
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

static void __attribute__((format(printf, 3, 0)))
vlog(int prio, bool with_errno, const char *fmt, va_list ap)
{
	char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
	int saved = errno;
	size_t n;

	vsnprintf(raw, sizeof(raw), fmt, ap);
	n = strlen(raw);
	if (with_errno && n < sizeof(raw))
		snprintf(raw + n, sizeof(raw) - n, ": %s", strerror(saved));
	clean(line, sizeof(line), raw);
	if (state.to == LOG_TO_SYSLOG)
		syslog(prio, "%s", line);
	else
		dprintf(STDERR_FILENO, "%s: %s\n", state.tag, line);
	errno = saved;
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
