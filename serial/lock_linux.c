/*
 * On Linux the lock is flock on the descriptor itself.  The lock files of
 * older programs (minicom, cu, pppd) are respected, none are made: a stale one
 * after a crash would keep the next start out.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "lock.h"

#define FDINFO_MAX 16384
#define LOCKS_MAX (1024 * 1024)

enum grip {
	GRIP_UNKNOWN,		/* not ours to look at */
	GRIP_NONE,
	GRIP_OPEN,
	GRIP_LOCK,		/* open, and a lock on it */
};

static bool
fd_has_lock(pid_t pid, const char *fd)
{
	char path[64];
	char *text;
	bool has;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", (int)pid, fd);
	text = file_read(path, FDINFO_MAX, NULL);
	has = text != NULL && strstr(text, "FLOCK") != NULL;
	free(text);
	return has;
}

/* How a process holds a device. */
static enum grip
grip_of(pid_t pid, dev_t rdev)
{
	enum grip grip = GRIP_NONE;
	struct dirent *entry;
	char path[64];
	struct stat st;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (d == NULL)
		return GRIP_UNKNOWN;
	while (grip != GRIP_LOCK && (entry = readdir(d)) != NULL) {
		if (fstatat(dirfd(d), entry->d_name, &st, 0) == -1 ||
		    !S_ISCHR(st.st_mode) || st.st_rdev != rdev)
			continue;
		grip = fd_has_lock(pid, entry->d_name) ? GRIP_LOCK : GRIP_OPEN;
	}
	closedir(d);
	return grip;
}

static void
name_holder(struct lock_holder *holder)
{
	char path[64];
	char *text;

	holder->name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)holder->pid);
	text = file_read(path, 256, NULL);
	if (text == NULL)
		return;
	text[strcspn(text, "\n")] = '\0';
	snprintf(holder->name, sizeof(holder->name), "%s", text);
	free(text);
}

/* Other users' processes cannot be looked into, but locks are public. */
static pid_t
find_in_locks(const struct stat *st)
{
	char *text, *save = NULL, *row;
	unsigned major_no, minor_no;
	unsigned long inode;
	pid_t found = 0;
	int pid;

	text = file_read("/proc/locks", LOCKS_MAX, NULL);
	if (text == NULL)
		return 0;
	for (row = strtok_r(text, "\n", &save); row != NULL && found == 0;
	    row = strtok_r(NULL, "\n", &save)) {
		if (sscanf(row, "%*s FLOCK %*s %*s %d %x:%x:%lu", &pid,
		    &major_no, &minor_no, &inode) == 4 && pid > 0 &&
		    inode == st->st_ino &&
		    makedev(major_no, minor_no) == st->st_dev)
			found = pid;
	}
	free(text);
	return found;
}

void
lock_find(const char *path, struct lock_holder *holder)
{
	enum grip grip, best = GRIP_NONE;
	struct dirent *entry;
	struct stat st;
	pid_t pid;
	DIR *d;

	memset(holder, 0, sizeof(*holder));
	if (stat(path, &st) == -1)
		return;
	d = opendir("/proc");
	while (d != NULL && best != GRIP_LOCK &&
	    (entry = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid == getpid())
			continue;
		grip = grip_of(pid, st.st_rdev);
		if (grip > best) {
			best = grip;
			holder->pid = pid;
		}
	}
	if (d != NULL)
		closedir(d);
	if (best != GRIP_LOCK && (pid = find_in_locks(&st)) != 0)
		holder->pid = pid;
	if (holder->pid != 0)
		name_holder(holder);
}

/* The live process that a lock file names; 0: none. */
static pid_t
read_lock_file(const char *tty)
{
	char path[PATH_MAX], *text;
	long pid;

	snprintf(path, sizeof(path), "/var/lock/LCK..%s", tty);
	text = file_read(path, 256, NULL);
	if (text == NULL)
		return 0;
	pid = strtol(text, NULL, 10);
	free(text);
	if (pid <= 0 || pid > INT_MAX ||
	    (kill((pid_t)pid, 0) == -1 && errno == ESRCH))
		return 0;
	return (pid_t)pid;
}

int
lock_claim(const char *path, pid_t owner, struct lock_holder *holder,
    char *why, size_t whysize)
{
	const char *slash = strrchr(path, '/');
	struct stat st;
	pid_t pid;

	(void)why;
	(void)whysize;
	memset(holder, 0, sizeof(*holder));
	pid = read_lock_file(slash == NULL ? path : slash + 1);
	if (pid == 0 || pid == owner || stat(path, &st) == -1)
		return 0;
	/* A number that another program got since means nothing. */
	if (grip_of(pid, st.st_rdev) == GRIP_NONE)
		return 0;
	holder->pid = pid;
	name_holder(holder);
	errno = EBUSY;
	return -1;
}

void
lock_release(const char *path, pid_t owner)
{
	/* It went with the last copy of the descriptor. */
	(void)path;
	(void)owner;
}
