/*
 * tool_tell: what a tool of oobctl changed by itself stands in the box's
 * journal all the same: the daemon is told, or finds it at its next start
 * (pending.h).
 */
#ifndef SERVER_TOOL_TELL_H
#define SERVER_TOOL_TELL_H

#include "config.h"

/*
 * To the daemon, as whoever runs us: before tool_become_owner.  -1: none
 * runs, which is no mistake.
 */
int tool_connect(const struct config *);
/*
 * "password set" and the like, of this user's; fd is closed.  When it can be
 * told to nobody that is said to standard error, no more: it is done.
 */
void tool_tell(const struct config *, int fd, const char *user,
    const char *what);

#endif
