/*
 * digest: BLAKE2b-256 of several pieces.  Pure.  Each piece goes in with its
 * length, so that no two lists of pieces have the same digest because their
 * bytes in a row are the same.
 */
#ifndef AUTH_DIGEST_H
#define AUTH_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32

struct digest_piece {
	const void *p;
	size_t n;
};

void digest(uint8_t out[DIGEST_LEN], const struct digest_piece *, size_t n);

#endif
