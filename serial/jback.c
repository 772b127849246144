#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "jback.h"
#include "record.h"
#include "segment.h"

#define BLOCK 32768

/* buf[0..len) are the bytes of the file from start on, not yet given out. */
struct jback {
	struct segment *in;
	uint64_t size, whole, start;
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
		got = segment_read(b->in, dst, n, at);
		if (got <= 0) {
			if (got == 0)
				errno = EIO;
			return -1;
		}
		dst += got;
		at += (uint64_t)got;
		n -= (size_t)got;
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
	struct segment *in = segment_open(dirfd, name);
	struct jback *b;
	int saved;

	if (in == NULL)
		return NULL;
	b = xmalloc(sizeof(*b));
	memset(b, 0, offsetof(struct jback, buf));
	b->in = in;
	if (segment_size(in, &b->size) == 0 && find_whole(b) == 0)
		return b;
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
	segment_close(b->in);
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
	return segment_taken(b->in);
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
