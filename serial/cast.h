/*
 * cast: the codec of asciicast recordings, versions 2 and 3
 * (docs.asciinema.org/manual/asciicast).  Pure: pieces in, lines of JSON out.
 *
 * A recording is UTF-8: a character that a piece cuts off waits for the next
 * one, and a byte that is part of none becomes U+FFFD.  "<" is written
 * escaped, so that a recording can stand in a page.
 */
#ifndef SERIAL_CAST_H
#define SERIAL_CAST_H

#include <stddef.h>
#include <stdint.h>

struct cast {
	int version;		/* 2 or 3 */
	int64_t last_ms;	/* version 3 counts from the last event */
	int64_t last_us;	/* time never goes back */
	uint8_t held[4];	/* the beginning of a character */
	size_t nheld;
};

struct cast_head {
	unsigned columns, rows;
	int64_t utc_s;		/* when it begins, seconds */
	const char *title;
};

/* Begin, with the header's line.  dst has CAST_HEAD_ROOM(title bytes). */
#define CAST_HEAD_ROOM(n) (256 + 6 * (n))
size_t cast_begin(struct cast *, int version, const struct cast_head *,
    char *dst);

/*
 * What the device sent at `us` since the beginning.  dst has CAST_ROOM(n).
 * Returns the length; 0 when all of it waits.
 */
#define CAST_ROOM(n) (64 + 6 * ((n) + 4))
size_t cast_data(struct cast *, int64_t us, const void *, size_t n, char *dst);

/* A marker. */
size_t cast_marker(struct cast *, int64_t us, const char *label, char *dst);

/* The end: what is held comes out. */
size_t cast_end(struct cast *, int64_t us, char *dst);

#endif
