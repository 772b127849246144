/*
 * journal_help: what the journal's tests share: a scratch folder, times, a
 * view that collects what it is shown.
 */
#ifndef TESTS_JOURNAL_HELP_H
#define TESTS_JOURNAL_HELP_H

#include <sys/types.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serial/journal.h"
#include "serial/view.h"
#include "server/base/fileio.h"
#include "server/base/mem.h"

#define T0 INT64_C(1795340463000000)	/* 2026-11-22T09:41:03Z */

struct scratch {
	char dir[64];
};

static inline void
scratch_make(struct scratch *s)
{
	snprintf(s->dir, sizeof(s->dir), "/tmp/oobd-journal-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		abort();
}

static inline int
scratch_rm(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static inline void
scratch_drop(struct scratch *s)
{
	nftw(s->dir, scratch_rm, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct stamp
ms(int64_t at)
{
	return (struct stamp){ T0 + at * 1000, { 5000000000 + at * 1000 } };
}

static inline struct journal *
journal_at(const struct scratch *s, uint64_t offset, uint64_t segment_max)
{
	struct jfile_conf conf = { .log_dir = s->dir, .console = "gw",
	    .box = "test box", .boot = 0x1234, .segment_max = segment_max };
	struct journal *j = journal_new(&conf);

	journal_begin(j, offset, false);
	return j;
}

/* The segments' names in order; returns how many. */
static inline int
segments(const struct scratch *s, char names[][64], int max)
{
	char path[100];
	struct dirent **list;
	int n, count = 0;

	snprintf(path, sizeof(path), "%s/gw", s->dir);
	n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(list[i]->d_name);

		if (len > 4 && len < 64 && count < max &&
		    strcmp(list[i]->d_name + len - 4, ".log") == 0)
			strcpy(names[count++], list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return count;
}

/* Text of the i-th segment (from the end when negative).  free(3). */
static inline char *
segment_text(const struct scratch *s, int i, size_t *n)
{
	char names[512][64], path[200];
	int count = segments(s, names, 512);

	if (i < 0)
		i += count;
	if (i < 0 || i >= count)
		return NULL;
	snprintf(path, sizeof(path), "%s/gw/%s", s->dir, names[i]);
	return file_read(path, 1 << 30, n);
}

/*
 * A disk that fails.  A small real file system where we may mount one; and for
 * everybody, write(2) itself: disk_left bytes go into regular files, then it
 * fails with disk_error.  -1: no limit.
 */
static _Atomic long disk_left = -1;
static _Atomic int disk_error = ENOSPC;

ssize_t write(int, const void *, size_t);

ssize_t
write(int fd, const void *p, size_t n)
{
	long left = disk_left;
	struct stat st;

	if (left >= 0 && n > 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (left == 0) {
			errno = disk_error;
			return -1;
		}
		if (n > (size_t)left)
			n = (size_t)left;
		disk_left = left - (long)n;
	}
	return syscall(SYS_write, fd, p, n);
}

static inline int
small_disk(const struct scratch *s, int kbytes)
{
	char command[200];

	snprintf(command, sizeof(command), "mount -t tmpfs -o size=%dk tmpfs "
	    "%s 2>/dev/null", kbytes, s->dir);
	return geteuid() == 0 ? system(command) : -1;
}

static inline void
small_disk_drop(const struct scratch *s)
{
	char command[100];

	snprintf(command, sizeof(command), "umount %s", s->dir);
	if (system(command) != 0)
		abort();
}

/* What a verb showed. */
struct shown {
	char *out[3];
	size_t n[3], room[3];
	int64_t at[4096];	/* mono us of each write to stream 1 */
	size_t upto[4096];	/* bytes of it then */
	int writes;
	const char *keys;	/* typed one by one, at each wait */
	void (*on_wait)(struct shown *);
	int waits, gone_after;	/* waits; 0: never */
	int64_t slept_ms;
	int64_t *clock;		/* us; moved on by what is waited, or NULL */
	unsigned rows;		/* of the terminal, 0: not known */
};

static inline int
shown_write(void *arg, int stream, const void *p, size_t n)
{
	struct shown *s = arg;

	while (s->n[stream] + n + 1 > s->room[stream]) {
		s->room[stream] = s->room[stream] * 2 + 65536;
		s->out[stream] = xreallocarray(s->out[stream],
		    s->room[stream], 1);
	}
	memcpy(s->out[stream] + s->n[stream], p, n);
	s->n[stream] += n;
	s->out[stream][s->n[stream]] = '\0';
	if (stream == 1 && s->writes < 4096) {
		s->at[s->writes] = mono_now().us;
		s->upto[s->writes++] = s->n[1];
	}
	return 0;
}

static inline int
shown_wait(void *arg, int64_t wait_ms)
{
	struct shown *s = arg;

	s->waits++;
	if (wait_ms > 0)
		s->slept_ms += wait_ms;
	if (s->on_wait != NULL)
		s->on_wait(s);
	if (s->gone_after > 0 && s->waits >= s->gone_after)
		return VIEW_GONE;
	if (s->keys != NULL && *s->keys != '\0' && *s->keys != '.')
		return (unsigned char)*s->keys++;
	if (s->keys != NULL && *s->keys == '.')
		s->keys++;
	/* To be asked takes a moment, too. */
	if (s->clock != NULL && wait_ms >= 0)
		*s->clock += wait_ms * 1000 + 10;
	return wait_ms < 0 ? VIEW_GONE : VIEW_TIMEOUT;
}

static inline void
shown_size(void *arg, unsigned *columns, unsigned *rows)
{
	*columns = 80;
	*rows = ((struct shown *)arg)->rows;
}

static const struct view_ops shown_ops = { shown_write, shown_wait,
    shown_size };

static inline void
shown_drop(struct shown *s)
{
	for (int i = 1; i < 3; i++)
		free(s->out[i]);
	memset(s, 0, sizeof(*s));
}

static inline const char *
shown_text(const struct shown *s, int stream)
{
	return s->out[stream] == NULL ? "" : s->out[stream];
}

#endif
