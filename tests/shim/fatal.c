/*
 * fatal: kills a process (SIGKILL) right after it renamed a file to the name
 * OOBD_FATAL_RENAME by renameat, while the file OOBD_FATAL exists, which is
 * removed first: once.  Loaded with LD_PRELOAD; build/tests/fatal.so.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	static int (*real)(int, const char *, int, const char *);
	const char *armed = getenv("OOBD_FATAL");
	const char *name = getenv("OOBD_FATAL_RENAME");
	void *sym;
	int r;

	if (real == NULL) {
		sym = dlsym(RTLD_NEXT, "renameat");
		memcpy(&real, &sym, sizeof(real));
	}
	r = real(from_fd, from, to_fd, to);
	if (r == 0 && armed != NULL && name != NULL &&
	    strcmp(to, name) == 0 && unlink(armed) == 0)
		kill(getpid(), SIGKILL);
	return r;
}
