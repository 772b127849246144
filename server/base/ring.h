/*
 * ring: the newest bytes of an endless stream.  One writer; any reader keeps
 * an offset into the stream (uint64_t, counted since the stream began) and
 * finds out by itself that it was lapped.  Bounded: size never grows.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

/* size is rounded up to a power of two.  The stream begins at offset base. */
struct ring *ring_new(size_t size, uint64_t base);
void ring_free(struct ring *);

size_t ring_size(const struct ring *);
uint64_t ring_head(const struct ring *);	/* offset after the newest */
uint64_t ring_tail(const struct ring *);	/* offset of the oldest kept */

void ring_write(struct ring *, const void *, size_t);

/* Forget everything; the stream goes on at offset base. */
void ring_restart(struct ring *, uint64_t base);

/*
 * The bytes from offset at on that lie in one piece: their number, 0 at the
 * head; *p is valid until the next write.  at must be in [tail, head].
 */
size_t ring_peek(const struct ring *, uint64_t at, const uint8_t **p);

#endif
