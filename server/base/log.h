/*
 * log: one line per message to stderr, or to syslog where stderr is no
 * terminal and no file (see log_open).  Every message names its process role.
 * Control characters in the formatted text are shown as \xNN, so nothing that
 * a device, a client or a modem sent can forge or colour a log line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_to {
	LOG_TO_STDERR,
	LOG_TO_SYSLOG,
};

/*
 * Start logging as "oobd[role]" (plain "oobd" when role is NULL).  Before the
 * first call messages go to stderr.  role is copied.
 */
void log_open(const char *role, enum log_to to, bool debug);

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
