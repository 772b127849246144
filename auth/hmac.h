/*
 * hmac: HMAC-SHA-256 (RFC 2104) of several pieces in a row.  Pure.
 */
#ifndef AUTH_HMAC_H
#define AUTH_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"

#define HMAC_LEN 32

/* Unlike digest, lengths do not go in: it is the HMAC of the bytes. */
void hmac(uint8_t out[HMAC_LEN], const void *key, size_t nkey,
    const struct digest_piece *, size_t n);

#endif
