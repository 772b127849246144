/*
 * fileio: whole files, replaced atomically.
 */
#ifndef BASE_FILEIO_H
#define BASE_FILEIO_H

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

/* Write everything, through EINTR and short writes.  0 or -1 with errno. */
int fd_write_all(int fd, const void *, size_t n);

/* Non-blocking and close-on-exec, both. */
int fd_prepare(int fd);

#endif
