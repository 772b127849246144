/*
 * blob: reading what SSH packs keys and certificates into (RFC 4251 section
 * 5).  Pure.  A cursor that met something cut off stays where it was.
 */
#ifndef AUTH_BLOB_H
#define AUTH_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
	const uint8_t *p, *end;		/* what is left */
};

/* The next string, *n bytes that lie in the blob; NULL: it is cut off. */
const uint8_t *blob_take(struct blob *, size_t *n);

/* The next string as a blob of its own.  False: it is cut off. */
bool blob_open(struct blob *, struct blob *in);

/* Is the next string this one? */
bool blob_take_is(struct blob *, const char *want);

/* False: cut off. */
bool blob_u32(struct blob *, uint32_t *);
bool blob_u64(struct blob *, uint64_t *);

/* The bytes of canonical base64, *n of them; NULL when it is not that.  The
   caller frees. */
uint8_t *blob_decode(const char *base64, size_t *n);

/* And back; the caller frees. */
char *blob_encode(const uint8_t *, size_t n);

#endif
