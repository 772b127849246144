/*
 * herald: says to syslogd what the roles have to say, as they cannot connect
 * to it (base/log.h).  Each process has a voice, a socket of its own, so whose
 * a message is nobody can choose; what waits in it outlives the process.
 *
 * Nothing here waits for syslogd: while that takes nothing, messages stay
 * where they are, which is bounded (log_pair), and are tried again; who has
 * more to say loses and counts it.  Of one voice HERALD_TURN messages at most
 * are passed on in a turn of the loop, and while syslogd is behind, one of each
 * voice after the other.
 */
#ifndef SERVER_HERALD_H
#define SERVER_HERALD_H

#include <sys/types.h>

#include "base/loop.h"

#define HERALD_TURN 16
#define HERALD_ENDED_MAX 32	/* of processes that ended before they were heard */

struct herald;
struct voice;

/* Also takes what syslogd does not take of our own messages. */
struct herald *herald_new(struct loop *);
/* After all voices have ended.  What is left is tried for 0.2 s.  NULL is
   fine. */
void herald_free(struct herald *);

/*
 * For a process that is about to be made: *fd is its LOG_FD, which the caller
 * closes.  role: a literal.  NULL with errno when there is none to be had.
 */
struct voice *voice_new(struct herald *, const char *role, int *fd);
void voice_is(struct voice *, pid_t);
/* The process has ended: what it said is passed on, now if that can be. */
void voice_end(struct voice *);

#endif
