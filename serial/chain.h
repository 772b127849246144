/*
 * chain: what a segment's header says of the segments before it.
 */
#ifndef SERIAL_CHAIN_H
#define SERIAL_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "seal.h"

struct chain_header {
	uint32_t seq;
	bool chained;		/* it says prev= at all */
	struct seal_mark prev;	/* the newest seal then; its seq is 0 */
	uint64_t tail;		/* bytes found after that one, under none */
	char tail_hash[SEAL_HASH];	/* theirs; "" when there are none */
};

/* Pure.  0, or -1: it is no header. */
int chain_header_parse(const struct record *, struct chain_header *);

/* Of this segment.  0, or -1: it has none that can be read. */
int chain_header_read(int dirfd, const char *name, struct chain_header *);

/* Its box=; dst is left alone when it cannot be read. */
void chain_header_box(int dirfd, const char *name, char *dst, size_t size);

#endif
