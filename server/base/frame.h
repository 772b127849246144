/*
 * frame: the codec of the one protocol that all our processes and oobctl
 * speak over Unix sockets.  Pure: bytes in, fields out, no I/O.
 * docs/frames.md lists the frames; server/proto.h names them.
 *
 * On the wire, big endian:
 *	u32 length of the payload, at most FRAME_MAX
 *	u16 type
 *	u16 flags (FRAME_HAS_FD: one file descriptor travels with it)
 *	payload: fields without padding; str is u16 length and bytes
 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define FRAME_HEAD 8
#define FRAME_MAX 65536
#define FRAME_HAS_FD 0x0001

/* A received frame; points into the receiver's buffer. */
struct frame {
	uint16_t type;
	uint16_t flags;
	const uint8_t *p;	/* next unread field */
	const uint8_t *end;
	bool bad;		/* a field was missing or too long */
};

/*
 * Look for one whole frame at p.  Returns 1 and *used bytes, 0 when more
 * bytes are needed, -1 when it can never become one (too long).
 */
int frame_parse(const uint8_t *p, size_t n, struct frame *, size_t *used);

/*
 * Fields in order.  A missing one gives 0 (or "" / NULL), sets bad, and makes
 * every further call do so, too: check frame_ok once, at the end.
 */
uint8_t frame_u8(struct frame *);
uint16_t frame_u16(struct frame *);
uint32_t frame_u32(struct frame *);
uint64_t frame_u64(struct frame *);
/* Copied and terminated; bad when it needs more than size or holds a NUL. */
void frame_str(struct frame *, char *dst, size_t size);
/* Is there another field? */
bool frame_more(const struct frame *);
/* All the rest; *n bytes. */
const uint8_t *frame_rest(struct frame *, size_t *n);
/* Every field was there and nothing is left over. */
bool frame_ok(const struct frame *);

/*
 * Building.  A frame is written into a fixed block of its own, then added to
 * a buf whole or not at all.  Overflow is remembered and makes frame_add fail.
 */
struct frame_out {
	size_t len;		/* header included */
	bool bad;
	uint8_t block[FRAME_HEAD + FRAME_MAX];
};

void frame_start(struct frame_out *, uint16_t type);
void frame_put_u8(struct frame_out *, uint8_t);
void frame_put_u16(struct frame_out *, uint16_t);
void frame_put_u32(struct frame_out *, uint32_t);
void frame_put_u64(struct frame_out *, uint64_t);
void frame_put_str(struct frame_out *, const char *);
void frame_put_bytes(struct frame_out *, const void *, size_t);
/* Fill in the header.  0, or -1 when the frame overflowed. */
int frame_finish(struct frame_out *, uint16_t flags);

#endif
