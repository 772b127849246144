#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "mem.h"

#define KEEP_BYTES 4096		/* a larger block is given back when empty */

struct buf {
	uint8_t *block;
	size_t size;		/* bytes allocated */
	size_t off;		/* first unread byte */
	size_t len;		/* unread bytes */
	size_t max;
};

struct buf *
buf_new(size_t max)
{
	struct buf *b = xcalloc(1, sizeof(*b));

	b->max = max;
	return b;
}

void
buf_free(struct buf *b)
{
	if (b == NULL)
		return;
	free(b->block);
	free(b);
}

const uint8_t *
buf_data(const struct buf *b)
{
	static const uint8_t nothing[1];

	return b->block == NULL ? nothing : b->block + b->off;
}

size_t
buf_len(const struct buf *b)
{
	return b->len;
}

size_t
buf_room(const struct buf *b)
{
	return b->max - b->len;
}

/* Make n bytes free behind the unread ones; n <= room. */
static void
make_space(struct buf *b, size_t n)
{
	size_t size = b->size == 0 ? 256 : b->size;

	if (b->size - b->off - b->len >= n)
		return;
	if (b->off > 0) {
		memmove(b->block, b->block + b->off, b->len);
		b->off = 0;
	}
	if (b->size - b->len >= n)
		return;
	while (size < b->len + n)
		size *= 2;
	if (size > b->max)
		size = b->max;
	b->block = xreallocarray(b->block, size, 1);
	b->size = size;
}

int
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n > buf_room(b))
		return -1;
	if (n == 0)
		return 0;
	make_space(b, n);
	memcpy(b->block + b->off + b->len, p, n);
	b->len += n;
	return 0;
}

uint8_t *
buf_reserve(struct buf *b, size_t want, size_t *got)
{
	if (want > buf_room(b))
		want = buf_room(b);
	*got = want;
	if (want == 0)
		return NULL;
	make_space(b, want);
	return b->block + b->off + b->len;
}

void
buf_commit(struct buf *b, size_t n)
{
	b->len += n;
}

void
buf_drop(struct buf *b, size_t n)
{
	b->off += n;
	b->len -= n;
	if (b->len > 0)
		return;
	b->off = 0;
	if (b->size > KEEP_BYTES) {
		free(b->block);
		b->block = NULL;
		b->size = 0;
	}
}

void
buf_clear(struct buf *b)
{
	buf_drop(b, b->len);
}
