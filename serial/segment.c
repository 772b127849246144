#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "../server/base/mem.h"
#include "segment.h"
#include "zseek.h"

struct segment {
	int fd;
	uint64_t taken;
	unsigned damaged;
	/* A packed one. */
	struct zseek_frame *frames;
	uint32_t count;
	uint64_t size;			/* of the text */
	uint32_t open;			/* the frame that text holds; count:
					   none */
	uint8_t *text, *packed;		/* one frame each */
	ZSTD_DCtx *context;
};

/* Exactly n bytes, or -1 with errno: a file that is shorter is an error. */
static int
read_whole(struct segment *s, void *dst, size_t n, uint64_t at)
{
	uint8_t *p = dst;
	ssize_t got;

	while (n > 0) {
		got = pread(s->fd, p, n, (off_t)at);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (got == 0)
				errno = EBADMSG;
			return -1;
		}
		p += got;
		at += (uint64_t)got;
		n -= (size_t)got;
		s->taken += (uint64_t)got;
	}
	return 0;
}

/* Room for the largest of each; and the frames are of a sane size. */
static int
make_room(struct segment *s)
{
	uint32_t text = 0, packed = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		if (s->frames[i].text > text)
			text = s->frames[i].text;
		if (s->frames[i].packed > packed)
			packed = s->frames[i].packed;
		s->size += s->frames[i].text;
	}
	if (text > SEGMENT_FRAME_MAX || packed > 2 * SEGMENT_FRAME_MAX)
		return -1;
	s->text = xmalloc(text + 1);
	s->packed = xmalloc(packed + 1);
	s->open = s->count;
	return 0;
}

/* 0, or -1 with errno. */
static int
read_table(struct segment *s, uint64_t file_size)
{
	uint8_t foot[ZSEEK_FOOT], *table = NULL;
	size_t size;
	int r = -1;

	errno = EBADMSG;
	if (file_size < ZSEEK_HEAD + ZSEEK_FOOT || read_whole(s, foot,
	    sizeof(foot), file_size - sizeof(foot)) == -1 ||
	    zseek_foot(foot, &s->count, &size) == -1 || size > file_size)
		return -1;
	table = xmalloc(size);
	s->frames = xcalloc((size_t)s->count + 1, sizeof(*s->frames));
	if (read_whole(s, table, size, file_size - size) == 0 &&
	    zseek_parse(table, size, file_size, s->frames, s->count) == 0 &&
	    make_room(s) == 0)
		r = 0;
	free(table);
	errno = EBADMSG;
	return r;
}

/* What kind of file is it?  0, or -1 with errno. */
static int
look(struct segment *s)
{
	uint8_t magic[4];
	struct stat st;

	if (fstat(s->fd, &st) == -1)
		return -1;
	if (st.st_size < (off_t)sizeof(magic))
		return 0;
	if (read_whole(s, magic, sizeof(magic), 0) == -1)
		return -1;
	/* A plain one begins with a year. */
	if (zseek_u32(magic) != ZSEEK_FRAME_MAGIC)
		return 0;
	s->context = ZSTD_createDCtx();
	if (s->context == NULL) {
		errno = ENOMEM;
		return -1;
	}
	return read_table(s, (uint64_t)st.st_size);
}

struct segment *
segment_open(int dirfd, const char *name)
{
	char packed[NAME_MAX + 8];
	struct segment *s;
	int fd, saved;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT) {
		snprintf(packed, sizeof(packed), "%s.zst", name);
		fd = openat(dirfd, packed, O_RDONLY | O_CLOEXEC);
	}
	if (fd == -1)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->fd = fd;
	if (look(s) == 0)
		return s;
	saved = errno;
	segment_close(s);
	errno = saved;
	return NULL;
}

void
segment_close(struct segment *s)
{
	if (s == NULL)
		return;
	close(s->fd);
	ZSTD_freeDCtx(s->context);
	free(s->frames);
	free(s->text);
	free(s->packed);
	free(s);
}

/* The frame with this byte of the text, which is in one. */
static uint32_t
find_frame(const struct segment *s, uint64_t at)
{
	uint32_t lo = 0, hi = s->count, mid;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (s->frames[mid].text_at <= at)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static void
unpack(struct segment *s, uint32_t i)
{
	const struct zseek_frame *f = &s->frames[i];
	size_t n = 0;

	s->open = i;
	if (read_whole(s, s->packed, f->packed, f->packed_at) == 0)
		n = ZSTD_decompressDCtx(s->context, s->text, f->text,
		    s->packed, f->packed);
	if (n == f->text)
		return;
	s->damaged++;
	memset(s->text, 0, f->text);
}

static ssize_t
read_packed(struct segment *s, void *dst, size_t n, uint64_t at)
{
	const struct zseek_frame *f;
	uint32_t i;

	if (at >= s->size)
		return 0;
	i = find_frame(s, at);
	if (i != s->open)
		unpack(s, i);
	f = &s->frames[i];
	if (n > f->text_at + f->text - at)
		n = (size_t)(f->text_at + f->text - at);
	memcpy(dst, s->text + (at - f->text_at), n);
	return (ssize_t)n;
}

ssize_t
segment_read(struct segment *s, void *dst, size_t n, uint64_t at)
{
	ssize_t got;

	if (s->context != NULL)
		return read_packed(s, dst, n, at);
	do {
		got = pread(s->fd, dst, n, (off_t)at);
	} while (got == -1 && errno == EINTR);
	if (got > 0)
		s->taken += (uint64_t)got;
	return got;
}

int
segment_size(const struct segment *s, uint64_t *size)
{
	struct stat st;

	*size = s->size;
	if (s->context != NULL)
		return 0;
	if (fstat(s->fd, &st) == -1)
		return -1;
	*size = (uint64_t)st.st_size;
	return 0;
}

bool
segment_is_packed(const struct segment *s)
{
	return s->context != NULL;
}

unsigned
segment_damaged(const struct segment *s)
{
	return s->damaged;
}

uint64_t
segment_taken(const struct segment *s)
{
	return s->taken;
}
