/*
 * keys_blob: which types of public keys are accepted, and whether a blob is a
 * whole and canonical key of its type.  Pure.
 */
#ifndef AUTH_KEYS_BLOB_H
#define AUTH_KEYS_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is this n bytes long word the name of a key type, accepted or refused? */
bool keys_blob_is_type(const char *name, size_t n);

/* NULL when keys of this type are accepted, else why not and what to do. */
const char *keys_blob_refused(const char *type);

/*
 * NULL when the blob is a key of this (accepted) type, else what is wrong
 * with it; a constant.
 */
const char *keys_blob_check(const char *type, const uint8_t *, size_t n);

/* How many strings follow after the type's name; 0: not an accepted type. */
unsigned keys_blob_fields(const char *type);

#endif
