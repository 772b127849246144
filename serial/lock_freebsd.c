/*
 * UUCP lock files, as cu(1), tip(1) and ppp(8) use them.  A lock names a
 * process: it is made by the one that opens the device and handed on to the
 * one that will hold it (uu_lock_txfr).
 */
#include <sys/param.h>
#include <sys/types.h>
#include <sys/user.h>

#include <errno.h>
#include <libutil.h>
#include <paths.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "lock.h"

static const char *
tty_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static pid_t
read_lock(const char *path)
{
	char file[MAXPATHLEN], *text;
	long pid;

	snprintf(file, sizeof(file), "%sLCK..%s", _PATH_UUCPLOCK,
	    tty_name(path));
	text = file_read(file, 256, NULL);
	if (text == NULL)
		return 0;
	pid = strtol(text, NULL, 10);
	free(text);
	return pid > 0 ? (pid_t)pid : 0;
}

void
lock_find(const char *path, struct lock_holder *holder)
{
	struct kinfo_proc *proc;

	memset(holder, 0, sizeof(*holder));
	holder->pid = read_lock(path);
	if (holder->pid == 0)
		return;
	proc = kinfo_getproc(holder->pid);
	if (proc == NULL)
		return;
	snprintf(holder->name, sizeof(holder->name), "%s", proc->ki_comm);
	free(proc);
}

int
lock_claim(const char *path, pid_t owner, struct lock_holder *holder,
    char *why, size_t whysize)
{
	int ret;

	memset(holder, 0, sizeof(*holder));
	ret = uu_lock(tty_name(path));
	if (ret == UU_LOCK_OK)
		ret = uu_lock_txfr(tty_name(path), owner);
	else if (ret == UU_LOCK_INUSE) {
		lock_find(path, holder);
		if (holder->pid != owner) {
			errno = EBUSY;
			return -1;
		}
		ret = UU_LOCK_OK;	/* it was ours all along */
	}
	if (ret == UU_LOCK_OK)
		return 0;
	/* A spool folder that is missing or not ours must not cost a line. */
	snprintf(why, whysize, "%s: no lock file in %s (%s); other programs "
	    "will not know that it is in use", path, _PATH_UUCPLOCK,
	    uu_lockerr(ret));
	return 1;
}

void
lock_release(const char *path, pid_t owner)
{
	if (read_lock(path) == owner)
		uu_unlock(tty_name(path));
}
