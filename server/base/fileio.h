/*
 * fileio: whole files, replaced atomically.
 */
#ifndef BASE_FILEIO_H
#define BASE_FILEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The whole file, NUL-terminated, *n bytes (may be NULL).  NULL with errno;
 * EFBIG when it holds more than max bytes.  The caller frees.
 */
char *file_read(const char *path, size_t max, size_t *n);

/* The same of an open file, from its beginning, wherever its offset is. */
char *fd_read(int fd, size_t max, size_t *n);

/*
 * Replace path by these bytes: temporary name in the same folder, fsync,
 * rename, fsync of the folder.  0, or -1 with errno and path untouched.
 */
int file_replace(const char *path, const void *, size_t n, mode_t mode);

/* mkdir -p with this mode for what is made.  0 or -1 with errno. */
int dir_make(const char *path, mode_t mode);

/* From `at` on, as much as there is of n bytes, through EINTR and short reads.
   How many, or -1 with errno. */
ssize_t fd_read_at(int fd, void *, size_t n, off_t at);

/* Write everything, through EINTR and short writes.  0 or -1 with errno. */
int fd_write_all(int fd, const void *, size_t n);

/* Non-blocking and close-on-exec, both. */
int fd_prepare(int fd);

/*
 * One for a newcomer: with it, are FD_ROOM left for those who are here, for a
 * file, a device, a link?  If not it is closed, and errno is EMFILE.
 */
#define FD_ROOM 16
bool fd_leaves_room(int fd);

#endif
