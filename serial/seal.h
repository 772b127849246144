/*
 * seal: the hash chain over a journal.  A seal is a record of type k:
 *
 *	seal=N records=R checks=HEX... prev=HASH hash=HASH
 *
 * Its hash is BLAKE2b-256 (b2sum -l 256) of all lines of the segment since the
 * seal before (or since its beginning) and of the seal's own line up to and
 * including "hash=".  prev is the hash of the seal before, so that each seal
 * vouches for all before it.  R counts the lines before it, and checks has
 * three hexadecimal digits for each of them: not for trust, but to tell which
 * one was changed (seal_check).  A segment's last seal says last=yes.
 *
 * The only file of serial/ that knows libsodium.  It does no I/O.
 */
#ifndef SERIAL_SEAL_H
#define SERIAL_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define SEAL_HASH 65		/* 64 hexadecimal digits and NUL */
#define SEAL_RECORDS 1024	/* under one seal, at most */
#define SEAL_BYTES 65536	/* then it is due at the next end of a line */
#define SEAL_CHECK 3		/* digits of a check */

struct seal;

/* A seal that was written.  number 0: none yet, and hash is "-". */
struct seal_mark {
	uint64_t number;
	uint32_t seq;		/* of its segment */
	char hash[SEAL_HASH];
};

extern const struct seal_mark seal_none;

struct seal *seal_new(void);
void seal_free(struct seal *);

/* A new segment begins; prev: the seal before. */
void seal_start(struct seal *, const struct seal_mark *prev);

/* How much of p may be written before a seal is due. */
size_t seal_room(const struct seal *, const char *p, size_t n);
/* This was written. */
void seal_add(struct seal *, const char *p, size_t n);

bool seal_is_due(const struct seal *);
bool seal_is_empty(const struct seal *);	/* nothing since the last */

/*
 * Write the seal's line to dst, which has RECORD_MAX bytes; r has its stamp and
 * offset.  *mark is the seal, which is also the next one's prev.  Returns the
 * line's length.
 */
size_t seal_line(struct seal *, char *dst, struct record *r, bool last,
    struct seal_mark *mark);

/* The check of one line, its LF included, or what is there of it. */
unsigned seal_check(const char *line, size_t n);

/* Hashing by itself. */
struct seal_hash;
struct seal_hash *seal_hash_new(void);
struct seal_hash *seal_hash_copy(const struct seal_hash *);
void seal_hash_add(struct seal_hash *, const void *, size_t n);
/* Ends it and frees. */
void seal_hash_end(struct seal_hash *, char dst[SEAL_HASH]);

/* A seal's record taken apart. */
struct seal_fields {
	uint64_t number;
	size_t records;
	const char *checks;	/* within the record's payload; NULL: it has
				   none */
	bool last;
	char prev[SEAL_HASH], hash[SEAL_HASH];
};

/* 0, or -1: it is no seal, or one that is damaged. */
int seal_parse(const struct record *, struct seal_fields *);

/*
 * The value of key ("seal=") in text of n bytes, where words are separated by
 * blanks: copied to dst of size bytes.  False: it is not there, or too long.
 */
bool seal_word(const void *text, size_t n, const char *key, char *dst,
    size_t size);

#endif
