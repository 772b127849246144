/*
 * buf: a byte queue with a hard bound.  Bytes go in at the end and leave at
 * the front; memory grows as needed up to max and shrinks when empty.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* Never NULL.  max: most bytes it will ever hold. */
struct buf *buf_new(size_t max);
void buf_free(struct buf *);

/* The unread bytes; valid until the next call on this buf. */
const uint8_t *buf_data(const struct buf *);
size_t buf_len(const struct buf *);

/* How many more bytes fit. */
size_t buf_room(const struct buf *);

/* Append all of it, or nothing and -1 when it does not fit. */
int buf_add(struct buf *, const void *, size_t);

/*
 * A place to read(2) up to want bytes into, NULL when less than one fits;
 * *got is how many are there.  buf_commit tells how many were filled.
 */
uint8_t *buf_reserve(struct buf *, size_t want, size_t *got);
void buf_commit(struct buf *, size_t);

/* Drop n bytes from the front (n <= buf_len), or all. */
void buf_drop(struct buf *, size_t);
void buf_clear(struct buf *);

#endif
