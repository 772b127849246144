/*
 * fatal: kills a process (SIGKILL) right after it renamed a file to a path
 * that contains OOBD_FATAL_RENAME, while the file OOBD_FATAL exists, which is
 * removed first: once.  Loaded with LD_PRELOAD; build/tests/fatal.so.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
rename(const char *from, const char *to)
{
	static int (*real)(const char *, const char *);
	const char *armed = getenv("OOBD_FATAL");
	const char *part = getenv("OOBD_FATAL_RENAME");
	void *sym;
	int r;

	if (real == NULL) {
		sym = dlsym(RTLD_NEXT, "rename");
		memcpy(&real, &sym, sizeof(real));
	}
	r = real(from, to);
	if (r == 0 && armed != NULL && part != NULL &&
	    strstr(to, part) != NULL && unlink(armed) == 0)
		kill(getpid(), SIGKILL);
	return r;
}
