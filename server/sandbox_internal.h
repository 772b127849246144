/* What sandbox.c and the systems' files share; nobody else. */
#ifndef SERVER_SANDBOX_INTERNAL_H
#define SERVER_SANDBOX_INTERNAL_H

#include "sandbox.h"

/* What a role may do beyond computing and using the descriptors it holds. */
enum sandbox_may {
	MAY_READ = 1,		/* open files, where places say */
	MAY_WRITE = 2,		/* and make, change, remove them */
	MAY_INET = 4,		/* sockets to the internet, and connect them */
	MAY_ACCEPT = 8,		/* take connections from listening sockets */
	MAY_ROUTE = 16,		/* ask the kernel about routes */
	MAY_DEVICE = 32,	/* control ttys */
	MAY_THREAD = 64,
	MAY_LOOK = 128,		/* ask whether a process runs */
	MAY_ANYWHERE = 256,	/* places do not count */
};

#define SANDBOX_PLACES_MAX 40

struct sandbox_place {
	const char *path;	/* a folder with what is below, or a file */
	bool write;
};

struct sandbox_plan {
	const char *role;
	unsigned may;
	bool mild;
	struct sandbox_place places[SANDBOX_PLACES_MAX];
	size_t nplaces;
};

#define SANDBOX_HOW 256

/*
 * Put the plan in force.  0 with how filled in words ("seccomp, landlock 7"),
 * or -1: less than this system could do, how says why.
 */
int sandbox_confine(const struct sandbox_plan *, char how[SANDBOX_HOW]);
/* The same for the supervisor. */
/* No path from here on.  0, or -1 with how. */
int sandbox_close_paths(char how[SANDBOX_HOW]);
int sandbox_confine_supervisor(char how[SANDBOX_HOW]);
/* The name of a system call, or NULL. */
const char *sandbox_call_name(int call);

#endif
