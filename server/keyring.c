#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/mem.h"
#include "keyring.h"

struct entry {
	char *path;
	int fd;			/* -1: */
	int error;		/* why not */
};

struct keyring {
	struct entry entries[KEYRING_MAX];
	size_t n;
};

struct keyring *
keyring_new(void)
{
	return xcalloc(1, sizeof(struct keyring));
}

static void
drop(struct entry *e)
{
	if (e->fd != -1)
		close(e->fd);
	free(e->path);
}

void
keyring_free(struct keyring *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n; i++)
		drop(&k->entries[i]);
	free(k);
}

void
keyring_put(struct keyring *k, const char *path, int fd, int error)
{
	struct entry *e = NULL;

	for (size_t i = 0; i < k->n && e == NULL; i++) {
		if (strcmp(k->entries[i].path, path) == 0)
			e = &k->entries[i];
	}
	/* Of reloads the oldest goes first. */
	if (e == NULL && k->n == KEYRING_MAX) {
		drop(&k->entries[0]);
		memmove(k->entries, k->entries + 1,
		    --k->n * sizeof(k->entries[0]));
	}
	if (e == NULL) {
		e = &k->entries[k->n++];
		*e = (struct entry){ xstrdup(path), -1, 0 };
	}
	if (e->fd != -1)
		close(e->fd);
	e->fd = fd;
	e->error = error;
}

void
keyring_drop(struct keyring *k, const char *path)
{
	for (size_t i = 0; i < k->n; i++) {
		if (strcmp(k->entries[i].path, path) != 0)
			continue;
		drop(&k->entries[i]);
		k->entries[i] = k->entries[--k->n];
		return;
	}
}

static char *
read_private(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return NULL;
	if ((st.st_mode & 077) != 0) {
		errno = EPERM;
		return NULL;
	}
	return fd_read(fd, KEYRING_BYTES, NULL);
}

char *
keyring_read(const struct keyring *k, const char *path)
{
	char *text;
	int fd, saved;

	for (size_t i = 0; k != NULL && i < k->n; i++) {
		if (strcmp(k->entries[i].path, path) != 0)
			continue;
		errno = k->entries[i].error;
		return k->entries[i].fd == -1 ? NULL :
		    read_private(k->entries[i].fd);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return NULL;
	text = read_private(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return text;
}
