#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fileio.h"
#include "folder.h"
#include "mem.h"
#include "os.h"

#define NAME_TRIES 100

char *
fd_read(int fd, size_t max, size_t *n)
{
	size_t len = 0, size = 4096;
	char *p = xmalloc(size + 1);
	ssize_t got;
	int saved;

	while ((got = pread(fd, p + len, size - len, (off_t)len)) != 0) {
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			break;
		len += (size_t)got;
		if (len > max) {
			errno = EFBIG;
			got = -1;
			break;
		}
		if (len == size) {
			size *= 2;
			p = xreallocarray(p, size + 1, 1);
		}
	}
	if (got == -1) {
		saved = errno;
		freezero(p, len);
		errno = saved;
		return NULL;
	}
	p[len] = '\0';
	if (n != NULL)
		*n = len;
	return p;
}

char *
file_read(const char *path, size_t max, size_t *n)
{
	int fd, saved;
	char *p;

	fd = folder_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd == -1)
		return NULL;
	p = fd_read(fd, max, n);
	saved = errno;
	close(fd);
	errno = saved;
	return p;
}

ssize_t
fd_read_at(int fd, void *dst, size_t n, off_t at)
{
	size_t len = 0;
	ssize_t got;

	while (len < n) {
		got = pread(fd, (char *)dst + len, n - len, at + (off_t)len);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

int
fd_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;
	ssize_t w;

	while (n > 0) {
		w = write(fd, p, n);
		if (w == -1 && errno == EINTR)
			continue;
		if (w == -1)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int
sync_parent(const char *path)
{
	char copy[PATH_MAX];
	int fd, r;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = folder_open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	r = fsync(fd);
	close(fd);
	/* Some file systems cannot sync a folder; the file itself is safe. */
	return r == -1 && errno != EINVAL ? -1 : 0;
}

/* A new file of a name that nobody can guess; the caller frees *tmp.  Or -1. */
static int
open_beside(const char *path, char **tmp)
{
	uint32_t r;
	int fd, saved;

	for (int i = 0; i < NAME_TRIES; i++) {
		os_random(&r, sizeof(r));
		*tmp = xasprintf("%s.%08" PRIx32, path, r);
		fd = folder_open(*tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
		if (fd != -1)
			return fd;
		saved = errno;
		free(*tmp);
		errno = saved;
		if (errno != EEXIST)
			break;
	}
	return -1;
}

int
file_replace(const char *path, const void *p, size_t n, mode_t mode)
{
	char *tmp;
	int fd = open_beside(path, &tmp), saved;

	if (fd == -1)
		return -1;
	if (fchmod(fd, mode) == -1 || fd_write_all(fd, p, n) == -1 ||
	    fsync(fd) == -1 || folder_rename(tmp, path) == -1) {
		saved = errno;
		close(fd);
		folder_unlink(tmp);
		free(tmp);
		errno = saved;
		return -1;
	}
	close(fd);
	free(tmp);
	return sync_parent(path);
}

int
dir_make(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	struct stat st;
	size_t n = strlen(path), held = folder_held(path);
	int saved;

	/* What is held is there, and so is what it lies in. */
	if (n > 0 && held == n)
		return 0;
	if (n == 0 || n >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (size_t i = held + 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (folder_mkdir(part, mode) == 0)
			continue;
		saved = errno;
		if (folder_stat(part, &st, 0) == -1) {
			errno = saved;
			return -1;
		}
		if (!S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return -1;
		}
	}
	return 0;
}

int
fd_prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

bool
fd_leaves_room(int fd)
{
	struct rlimit rl;

	/* The lowest that is free is given out, so its number tells. */
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1 ||
	    (rlim_t)fd + FD_ROOM < rl.rlim_cur)
		return true;
	close(fd);
	errno = EMFILE;
	return false;
}
