/*
 * log: one line per message to stderr, or to syslogd where stderr is no
 * terminal and no file (see log_open).  Every message names its process role.
 * Control characters in the formatted text are shown as \xNN, so nothing that
 * a device, a client or a modem sent can forge or colour a log line.
 *
 * A role cannot connect to syslogd once it is confined, and syslogd may be
 * started anew.  So a role hands its lines to the supervisor, a record each,
 * which says them for it (server/herald.h).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum log_to {
	LOG_TO_STDERR,
	LOG_TO_SYSLOG,
	LOG_TO_SUPERVISOR,	/* over LOG_FD */
};

#define LOG_FD 5		/* a socket of log_pair, where roles find it */
#define LOG_RECORD 2048		/* bytes: a priority, then text without NUL */

/*
 * Start logging as "oobd[role]" (plain "oobd" when role is NULL).  Before the
 * first call messages go to stderr.  role is copied; LOG_FD stays the caller's.
 */
void log_open(const char *role, enum log_to to, bool debug);

/*
 * The way from a role to the supervisor: pair[0] is read (MSG_DONTWAIT), a
 * record at a time, and pair[1] written.  Neither end can be used to send to,
 * or to connect with, anybody else.  Close-on-exec.  0, or -1 with errno.
 */
int log_pair(int pair[2]);

/*
 * Messages never wait, except fatal's, for a second: what is not taken is lost
 * and counted, and the next one that is taken is preceded by how many.  With
 * LOG_TO_SYSLOG, what syslogd does not take is written to fd, a pair's, and so
 * is all that follows, in order, until log_release.  -1: lost, as above.
 */
void log_hold(int fd);
void log_release(void);

/*
 * Say a record of another process to syslogd, as "oobd[role]" with its pid and
 * whatever is in it: it is cleaned again, and its priority is one that we use.
 * 0, or -1 when that does not take it now.
 */
int log_pass(const char *role, pid_t pid, const char *record, size_t n);

/* error: needs a human.  warn: odd, handled.  info: life events.  debug: -d. */
void log_error(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *, ...) __attribute__((format(printf, 1, 2)));

/* As log_error, with ": " and strerror(errno) appended; errno is kept. */
void log_errno(const char *, ...) __attribute__((format(printf, 1, 2)));

/* Boot only: log and exit(1).  fatal appends errno, fatalx does not. */
_Noreturn void fatal(const char *, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fatalx(const char *, ...) __attribute__((format(printf, 1, 2)));

#endif
