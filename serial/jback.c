#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/mem.h"
#include "jback.h"
#include "record.h"

#define BLOCK 32768

/* buf[0..len) are the bytes of the file from start on, not yet given out. */
struct jback {
	int fd;
	uint64_t size, whole, start, nread;
	size_t len;
	bool overlong;		/* the line at the end of buf lost its tail */
	char buf[BLOCK + RECORD_MAX + 1];
};

/* Exactly n bytes at `at`; a file that shrank is an error. */
static int
read_at(struct jback *b, char *dst, size_t n, uint64_t at)
{
	ssize_t got;

	while (n > 0) {
		got = pread(b->fd, dst, n, (off_t)at);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (got == 0)
				errno = EIO;
			return -1;
		}
		dst += got;
		at += (uint64_t)got;
		n -= (size_t)got;
		b->nread += (uint64_t)got;
	}
	return 0;
}

/* Get the block before what is there. */
static int
fill(struct jback *b)
{
	size_t k = b->start < BLOCK ? (size_t)b->start : BLOCK;

	memmove(b->buf + k, b->buf, b->len);
	if (read_at(b, b->buf, k, b->start - k) == -1)
		return -1;
	b->start -= k;
	b->len += k;
	return 0;
}

static int
find_whole(struct jback *b)
{
	const char *lf;

	b->start = b->size;
	while (b->start > 0) {
		b->len = 0;
		if (fill(b) == -1)
			return -1;
		lf = memrchr(b->buf, '\n', b->len);
		if (lf != NULL) {
			b->len = (size_t)(lf - b->buf) + 1;
			break;
		}
		b->len = 0;
	}
	b->whole = b->start + b->len;
	return 0;
}

struct jback *
jback_new(int dirfd, const char *name)
{
	struct jback *b;
	struct stat st;
	int fd, saved;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return NULL;
	b = xmalloc(sizeof(*b));
	memset(b, 0, offsetof(struct jback, buf));
	b->fd = fd;
	if (fstat(fd, &st) == 0) {
		b->size = (uint64_t)st.st_size;
		if (find_whole(b) == 0)
			return b;
	}
	saved = errno;
	jback_free(b);
	errno = saved;
	return NULL;
}

void
jback_free(struct jback *b)
{
	if (b == NULL)
		return;
	close(b->fd);
	free(b);
}

uint64_t
jback_whole(const struct jback *b)
{
	return b->whole;
}

uint64_t
jback_torn(const struct jback *b)
{
	return b->size - b->whole;
}

uint64_t
jback_read(const struct jback *b)
{
	return b->nread;
}

int
jback_line(struct jback *b, const char **line, size_t *n, uint64_t *at)
{
	const char *lf, *begin;

	for (;;) {
		if (b->len == 0 && b->start == 0)
			return 0;
		lf = b->len < 2 ? NULL : memrchr(b->buf, '\n', b->len - 1);
		if (lf == NULL && b->start > 0) {
			if (b->len > RECORD_MAX) {
				/* Keep its LF as the end of a lost line. */
				b->buf[0] = '\n';
				b->len = 1;
				b->overlong = true;
			}
			if (fill(b) == -1)
				return -1;
			continue;
		}
		begin = lf == NULL ? b->buf : lf + 1;
		*line = begin;
		*n = b->len - 1 - (size_t)(begin - b->buf);
		b->len = (size_t)(begin - b->buf);
		if (at != NULL)
			*at = b->start + b->len;
		if (!b->overlong)
			return 1;
		b->overlong = false;
	}
}
