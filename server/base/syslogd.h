/*
 * syslogd: a line to the system's logger, as syslog(3) has it there, but
 * without waiting: whoever calls has others to serve, and a logger may be
 * slow, stopped, or just being started anew.  The connection is made by the
 * first line and again when it is lost.  From any thread.
 */
#ifndef BASE_SYSLOGD_H
#define BASE_SYSLOGD_H

#include <sys/types.h>

/* Where it listens; NULL: where this system has it.  For tests. */
void syslogd_at(const char *path);

/*
 * prio: LOG_ERR and so on; tag and pid: who says text, now.  0, or -1 with
 * errno when it is not taken: not there, or behind.
 */
int syslogd_send(int prio, const char *tag, pid_t pid, const char *text);

#endif
