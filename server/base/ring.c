#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "ring.h"

struct ring {
	uint64_t base, head;
	size_t size;		/* power of two */
	uint8_t data[];
};

struct ring *
ring_new(size_t size, uint64_t base)
{
	struct ring *r;
	size_t pow2 = 256;

	while (pow2 < size)
		pow2 *= 2;
	r = xcalloc(1, sizeof(*r) + pow2);
	r->size = pow2;
	ring_restart(r, base);
	return r;
}

void
ring_free(struct ring *r)
{
	free(r);
}

size_t
ring_size(const struct ring *r)
{
	return r->size;
}

uint64_t
ring_head(const struct ring *r)
{
	return r->head;
}

uint64_t
ring_tail(const struct ring *r)
{
	return r->head - r->base > r->size ? r->head - r->size : r->base;
}

void
ring_restart(struct ring *r, uint64_t base)
{
	r->base = r->head = base;
}

void
ring_write(struct ring *r, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t at, part;

	if (n > r->size) {
		p += n - r->size;
		r->head += n - r->size;
		n = r->size;
	}
	at = (size_t)(r->head & (r->size - 1));
	part = n < r->size - at ? n : r->size - at;
	memcpy(r->data + at, p, part);
	memcpy(r->data, p + part, n - part);
	r->head += n;
}

size_t
ring_peek(const struct ring *r, uint64_t at, const uint8_t **p)
{
	size_t pos = (size_t)(at & (r->size - 1));
	uint64_t n = r->head - at;

	*p = r->data + pos;
	return n < r->size - pos ? (size_t)n : r->size - pos;
}
