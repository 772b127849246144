/*
 * folders: those that the processes work in.  The supervisor makes them, and
 * remembers which ones they are: a process that holds a folder (base/folder.h)
 * goes on in it when another was put in its place, by mount(8) or mv(1), and
 * cannot see that by itself.
 */
#ifndef SERVER_FOLDERS_H
#define SERVER_FOLDERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "config.h"

#define FOLDERS_STATE 1u
#define FOLDERS_LOG 2u

struct folders;

/*
 * Make state_dir, log_dir and run_dir, or end with a word about it.  give: they
 * become this user's.  The configuration's paths are copied.  Caller frees.
 */
struct folders *folders_new(const struct config *, bool give, uid_t, gid_t);
void folders_free(struct folders *);

/*
 * Which of both are not those that they were when this was asked last, or they
 * were made: FOLDERS_*.  One that is gone is made again, and both are given as
 * they were at first; what cannot be done is logged.
 */
unsigned folders_changed(struct folders *);

#endif
