#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "mem.h"

/* Of this process: filled before it has threads, only read from then on. */
static struct held {
	char *path;		/* without a "/" at its end */
	size_t n;
	int fd;			/* -1: it is not there */
	bool is_file;
} held[FOLDER_MAX];
static size_t nheld;

/* Where a path is to be looked up: what each of the calls wants. */
struct way {
	int fd;
	const char *rest;
	bool is_file;		/* it is what fd is */
};

static bool
is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode);
}

int
folder_hold(const char *path)
{
	struct held *h = &held[nheld];
	int saved;

	if (nheld == FOLDER_MAX) {
		errno = ENFILE;
		return -1;
	}
	h->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (h->fd == -1 && errno != ENOENT)
		return -1;
	saved = errno;
	h->is_file = h->fd != -1 && is_file(h->fd);
	h->path = xstrdup(path);
	for (h->n = strlen(path); h->n > 1 && path[h->n - 1] == '/'; h->n--)
		continue;
	h->path[h->n] = '\0';
	nheld++;
	errno = saved;
	return h->fd == -1 ? -1 : 0;
}

void
folder_drop(void)
{
	while (nheld > 0) {
		free(held[--nheld].path);
		if (held[nheld].fd != -1)
			close(held[nheld].fd);
	}
}

/* The longest that holds it, or NULL. */
static const struct held *
find(const char *path)
{
	const struct held *best = NULL;

	for (size_t i = 0; i < nheld; i++) {
		const struct held *h = &held[i];

		if (strncmp(h->path, path, h->n) == 0 &&
		    (path[h->n] == '\0' || (path[h->n] == '/' &&
		    !h->is_file)) && (best == NULL || h->n > best->n))
			best = h;
	}
	return best;
}

size_t
folder_held(const char *path)
{
	const struct held *h = find(path);

	return h == NULL ? 0 : h->n;
}

bool
folder_is_removed(void)
{
	struct stat st;

	for (size_t i = 0; i < nheld; i++) {
		if (held[i].fd != -1 && !held[i].is_file &&
		    fstat(held[i].fd, &st) == 0 && st.st_nlink == 0)
			return true;
	}
	return false;
}

/* Does it lead up again? */
static bool
climbs(const char *rest)
{
	size_t n;

	for (; *rest != '\0'; rest += n) {
		rest += strspn(rest, "/");
		n = strcspn(rest, "/");
		if (n == 2 && rest[0] == '.' && rest[1] == '.')
			return true;
	}
	return false;
}

/* 0, or -1 with errno. */
static int
look_up(const char *path, struct way *way)
{
	const struct held *h = find(path);

	*way = (struct way){ AT_FDCWD, path, false };
	if (h == NULL)
		return 0;
	way->fd = h->fd;
	way->is_file = h->is_file;
	way->rest = path + h->n + strspn(path + h->n, "/");
	if (h->fd == -1 || climbs(way->rest)) {
		errno = h->fd == -1 ? ENOENT : EACCES;
		return -1;
	}
	if (*way->rest == '\0')
		way->rest = ".";
	return 0;
}

int
folder_open(const char *path, int flags, mode_t mode)
{
	struct way way;

	if (look_up(path, &way) == -1)
		return -1;
	if (!way.is_file)
		return openat(way.fd, way.rest, flags, mode);
	if ((flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != O_RDONLY) {
		errno = EACCES;
		return -1;
	}
	return fcntl(way.fd, F_DUPFD_CLOEXEC, 0);
}

int
folder_stat(const char *path, struct stat *st, int flags)
{
	struct way way;

	if (look_up(path, &way) == -1)
		return -1;
	return way.is_file ? fstat(way.fd, st) :
	    fstatat(way.fd, way.rest, st, flags);
}

int
folder_mkdir(const char *path, mode_t mode)
{
	struct way way;

	if (look_up(path, &way) == -1)
		return -1;
	return mkdirat(way.fd, way.rest, mode);
}

int
folder_unlink(const char *path)
{
	struct way way;

	if (look_up(path, &way) == -1)
		return -1;
	return unlinkat(way.fd, way.rest, 0);
}

int
folder_rename(const char *from, const char *to)
{
	struct way a, b;

	if (look_up(from, &a) == -1 || look_up(to, &b) == -1)
		return -1;
	return renameat(a.fd, a.rest, b.fd, b.rest);
}

static int
open_folder(const char *path)
{
	return folder_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

DIR *
folder_list(const char *path)
{
	int fd = open_folder(path), saved;
	DIR *d = fd == -1 ? NULL : fdopendir(fd);

	if (d == NULL && fd != -1) {
		saved = errno;
		close(fd);
		errno = saved;
	}
	return d;
}

int
folder_space(const char *path, struct statvfs *v)
{
	int fd = open_folder(path), r, saved;

	if (fd == -1)
		return -1;
	r = fstatvfs(fd, v);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}
