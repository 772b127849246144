/*
 * tool_state: what tools of oobctl need that work on the state folder by
 * themselves: the configuration that names it, and to be its owner.
 */
#ifndef SERVER_TOOL_STATE_H
#define SERVER_TOOL_STATE_H

#include "config.h"

/* NULL when it has mistakes, all of which were told to standard error. */
struct config *tool_config(const char *path);

/*
 * Make the folder if it is not there and, as root, become the service user:
 * everything in it belongs to that user, and nothing that lies there is to be
 * trusted with root's rights.  0, or -1 with the reason told.
 */
int tool_become_owner(const struct config *);

#endif
