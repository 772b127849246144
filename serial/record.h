/*
 * record: the codec of the journal's lines.  Pure: bytes in, fields out.
 * docs/journal.md describes the format for people who write a reader.
 *
 * One record is one line of text, valid UTF-8, ended by LF:
 *
 *	<UTC> <monotonic> <type> <offset> <payload>[\@<timing>]
 *
 * When the format changes: change the number in the header record
 * (RECORD_FORMAT), let record_decode read both, and add the new form to
 * docs/journal.md beside the old one.  A new type letter or a new key=value
 * word in h, m or i needs no new number: readers skip what they do not know.
 */
#ifndef SERIAL_RECORD_H
#define SERIAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/clock.h"

#define RECORD_FORMAT "oobd-journal 1"

#define RECORD_BYTES 4096	/* payload bytes of one record, at most */
#define RECORD_NOTES 1024	/* timing notes of one record, at most */
#define RECORD_MAX 36864	/* a whole physical line, LF included */
#define RECORD_NOTE_US 5000	/* arrivals closer than this share a note */

enum record_type {
	RECORD_HEADER = 'h',	/* first line of a segment */
	RECORD_CRLF = 'o',	/* device line ended by CR LF */
	RECORD_LF = 'n',	/* device line ended by LF alone */
	RECORD_CUT = 'c',	/* piece of a device line, not ended */
	RECORD_PREVIEW = 'p',	/* what an unfinished line has so far */
	RECORD_INPUT = 'i',	/* typed: "user N bytes[ content]" */
	RECORD_EVENT = 'm',	/* trusted event: word and key=value text */
	RECORD_SEAL = 'k',
};

/* Byte `at` of the record, terminator included, came ms after the first. */
struct record_note {
	uint32_t at;
	uint32_t ms;
};

struct record {
	enum record_type type;
	struct stamp stamp;	/* when the first byte came */
	uint64_t offset;	/* device offset of the first byte, or at which
				   the event happened */
	const uint8_t *data;	/* payload; when decoded, the terminator's
				   bytes follow it */
	size_t n;		/* without the terminator */
	const struct record_note *notes;
	size_t nnotes;
};

/* Remembers the text of the last second; zero it before first use. */
struct record_clock {
	bool known;
	int64_t sec;
	char text[20];		/* "2026-11-22T09:41:03" */
};

/*
 * Write the record's line, LF included, to dst, which has RECORD_MAX bytes.
 * n <= RECORD_BYTES, nnotes <= RECORD_NOTES.  Returns its length.  In h, m, i
 * and k payloads a "\xNN" that is already there stays as it is.
 */
size_t record_encode(char *dst, const struct record *, struct record_clock *);

/* What a decoded record points into. */
struct record_space {
	uint8_t data[RECORD_BYTES + 2];
	struct record_note notes[RECORD_NOTES];
};

/*
 * Decode a line of n bytes (without its LF).  0, or -1 when it is no record:
 * damaged, foreign, or of a type this version does not know.
 */
int record_decode(const char *line, size_t n, struct record *,
    struct record_space *);

/* The first four fields only.  0 or -1. */
int record_peek(const char *line, size_t n, struct record *);

/* o n c p: it holds bytes of the device. */
bool record_is_data(const struct record *);
/* o n c: it finishes those bytes; previews of them are void. */
bool record_is_final(const struct record *);
/* Bytes of the terminator that was cut off: 2, 1 or 0. */
size_t record_term(const struct record *);
/* Device offset after the record (its own for those without device bytes). */
uint64_t record_end(const struct record *);
/* When its last byte came, microseconds UTC, to RECORD_NOTE_US. */
int64_t record_end_us(const struct record *);
/* Index of the first byte that came at utc_us or later; n + term if none. */
size_t record_find(const struct record *, int64_t utc_us);

#endif
