#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "../server/base/clock.h"
#include "../server/base/fileio.h"
#include "../server/base/mem.h"
#include "jdir.h"
#include "pack.h"
#include "segment.h"
#include "zseek.h"

#define LEVEL 3
#define SUFFIX (sizeof(JDIR_PACKED PACK_TEMP))

struct packing {
	const struct pack_ops *ops;
	struct segment *in;
	int out;
	ZSTD_CCtx *context;
	struct zseek_frame *frames;
	uint32_t count, room;
	uint64_t at;			/* text done */
	struct mono began;
	uint8_t *text, *packed;
	size_t packed_room;
};

static bool
pace(struct packing *p)
{
	struct mono now = mono_now();
	bool go_on = p->ops == NULL ||
	    p->ops->pace(p->ops->arg, mono_us(p->began, now));

	p->began = mono_now();
	if (!go_on)
		errno = ECANCELED;
	return go_on;
}

/* A frame's text: as much as there is, up to PACK_FRAME.  -1 with errno. */
static ssize_t
read_frame(struct segment *in, uint8_t *text, uint64_t at)
{
	size_t n = 0;
	ssize_t got = 1;

	while (n < PACK_FRAME && got > 0) {
		got = segment_read(in, text + n, PACK_FRAME - n, at + n);
		if (got > 0)
			n += (size_t)got;
	}
	return got == -1 ? -1 : (ssize_t)n;
}

static void
note_frame(struct packing *p, size_t packed, size_t text)
{
	if (p->count == p->room) {
		p->room = p->room == 0 ? 64 : p->room * 2;
		p->frames = xreallocarray(p->frames, p->room,
		    sizeof(*p->frames));
	}
	p->frames[p->count].packed = (uint32_t)packed;
	p->frames[p->count++].text = (uint32_t)text;
}

/* 1: one frame is written, 0: there is no more text, -1 with errno. */
static int
write_frame(struct packing *p)
{
	ssize_t n = read_frame(p->in, p->text, p->at);
	size_t packed;

	if (n <= 0)
		return (int)n;
	packed = ZSTD_compress2(p->context, p->packed, p->packed_room,
	    p->text, (size_t)n);
	if (ZSTD_isError(packed)) {
		errno = EIO;
		return -1;
	}
	if (fd_write_all(p->out, p->packed, packed) == -1)
		return -1;
	note_frame(p, packed, (size_t)n);
	p->at += (uint64_t)n;
	return pace(p) ? 1 : -1;
}

static int
write_table(struct packing *p)
{
	size_t n = zseek_size(p->count);
	uint8_t *table = xmalloc(n);
	int r, saved;

	zseek_write(table, p->frames, p->count);
	r = fd_write_all(p->out, table, n);
	saved = errno;
	free(table);
	errno = saved;
	return r;
}

/* An empty text is a frame, too, or it would not be known for what it is. */
static int
write_empty(struct packing *p)
{
	size_t packed = ZSTD_compress2(p->context, p->packed, p->packed_room,
	    p->text, 0);

	if (ZSTD_isError(packed)) {
		errno = EIO;
		return -1;
	}
	note_frame(p, packed, 0);
	return fd_write_all(p->out, p->packed, packed);
}

static int
write_all(struct packing *p)
{
	int got;

	p->context = ZSTD_createCCtx();
	if (p->context == NULL) {
		errno = ENOMEM;
		return -1;
	}
	ZSTD_CCtx_setParameter(p->context, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(p->context, ZSTD_c_checksumFlag, 1);
	p->packed_room = ZSTD_compressBound(PACK_FRAME);
	p->packed = xmalloc(p->packed_room);
	while ((got = write_frame(p)) == 1)
		continue;
	if (got == -1 || (p->count == 0 && write_empty(p) == -1) ||
	    write_table(p) == -1)
		return -1;
	return fsync(p->out);
}

/* Does it hold the same text?  0, or -1 with errno. */
static int
compare(struct packing *p, int dirfd, const char *packed)
{
	struct segment *other = segment_open(dirfd, packed);
	uint8_t *text = xmalloc(PACK_FRAME);
	ssize_t n = -1, m;

	for (p->at = 0; other != NULL; p->at += (uint64_t)n) {
		n = read_frame(p->in, p->text, p->at);
		m = read_frame(other, text, p->at);
		if (n == m && n > 0 && memcmp(p->text, text, (size_t)n) != 0)
			m = -1;
		if (n != m) {
			errno = EIO;
			n = -1;
		}
		if (n <= 0 || !pace(p))
			break;
	}
	if (n > 0)
		n = -1;		/* told to stop */
	if (n == 0 && (!segment_is_packed(other) ||
	    segment_damaged(other) > 0)) {
		errno = EIO;
		n = -1;
	}
	free(text);
	segment_close(other);
	return (int)n;
}

/* The packed one gets the time of the other: readers go by it. */
static int
keep_time(const struct packing *p, int dirfd, const char *name)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) == -1)
		return -1;
	times[1] = st.st_mtim;
	return futimens(p->out, times);
}

static int
make(struct packing *p, int dirfd, const char *name, const char *packed)
{
	char temp[NAME_MAX + SUFFIX];
	int saved;

	snprintf(temp, sizeof(temp), "%s" PACK_TEMP, packed);
	unlinkat(dirfd, temp, 0);
	p->out = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0640);
	if (p->out == -1)
		return -1;
	if (write_all(p) == 0 && keep_time(p, dirfd, name) == 0 &&
	    compare(p, dirfd, temp) == 0 &&
	    renameat(dirfd, temp, dirfd, packed) == 0)
		return 0;
	saved = errno;
	unlinkat(dirfd, temp, 0);
	errno = saved;
	return -1;
}

/* One that a predecessor left: whole, or to be made again. */
static bool
is_done(struct packing *p, int dirfd, const char *packed)
{
	if (faccessat(dirfd, packed, F_OK, 0) == -1)
		return false;
	return compare(p, dirfd, packed) == 0;
}

static void
clean(struct packing *p)
{
	int saved = errno;

	segment_close(p->in);
	if (p->out != -1)
		close(p->out);
	ZSTD_freeCCtx(p->context);
	free(p->frames);
	free(p->text);
	free(p->packed);
	errno = saved;
}

int
pack_segment(int dirfd, const char *name, const struct pack_ops *ops)
{
	struct packing p = { .ops = ops, .out = -1, .began = mono_now() };
	char packed[NAME_MAX + sizeof(JDIR_PACKED)];
	int r = -1;

	snprintf(packed, sizeof(packed), "%s" JDIR_PACKED, name);
	p.in = segment_open(dirfd, name);
	if (p.in == NULL)
		return -1;
	p.text = xmalloc(PACK_FRAME);
	if (is_done(&p, dirfd, packed) || (errno != ECANCELED &&
	    (p.at = 0, make(&p, dirfd, name, packed)) == 0))
		r = fsync(dirfd);
	if (r == 0)
		r = unlinkat(dirfd, name, 0);
	clean(&p);
	return r;
}
