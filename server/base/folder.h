/*
 * folder: paths below folders that this process holds open.
 *
 * A process that gives up opening by path (server/sandbox.h) says before which
 * folders it will need: folder_hold.  What lies in one is reached from its
 * descriptor from then on (openat(2) and its kin), by whoever uses these
 * functions with the same paths as ever.  A path in no such folder is used as
 * it is, so where none is held all of this is open(2), stat(2) and so on, with
 * their results and errno.  The longest folder that fits is taken, and a ".."
 * below one is refused (EACCES).
 *
 * Held is held: what is put in a folder's place later is not seen.
 */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

#define FOLDER_MAX 8		/* that are held at a time */

/*
 * Hold it for good, or one file that is only read.  Before there are threads.
 * 0, or -1 with errno (ENFILE: too many), and paths in it are used as before;
 * but what is not there (ENOENT) is not there for good.
 */
int folder_hold(const char *path);

/* Let go of all.  For tests: nothing else that knows them may be at work. */
void folder_drop(void);

/* How much of path is a held folder: up to its "/" or NUL.  0: none. */
size_t folder_held(const char *path);

/* One of them was removed since: nothing can be made in it any more. */
bool folder_is_removed(void);

/*
 * open(2).  A file that is held by itself is given as it was when that began,
 * at an offset that all who open it share: read it by pread(2).
 */
int folder_open(const char *path, int flags, mode_t mode);

/* stat(2), lstat(2) with AT_SYMLINK_NOFOLLOW. */
int folder_stat(const char *path, struct stat *, int flags);

int folder_mkdir(const char *path, mode_t mode);
int folder_unlink(const char *path);
int folder_rename(const char *from, const char *to);

/* opendir(3); closedir(3) ends it. */
DIR *folder_list(const char *path);

/* statvfs(3). */
int folder_space(const char *path, struct statvfs *);

#endif
