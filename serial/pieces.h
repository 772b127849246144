/*
 * pieces: a span of a journal as it is played: pieces of what the device
 * sent, and events, on one clock that begins at 0 and never goes back.  The
 * journal has a line where it was finished; here each piece stands where it
 * came, and events between them.
 */
#ifndef SERIAL_PIECES_H
#define SERIAL_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jread.h"

#define PIECES_EVENTS 64	/* between two lines; more than that hurry */
#define PIECES_TEXT 256		/* of an event; the rest is cut */

enum piece_kind {
	PIECE_DATA,
	PIECE_EVENT,		/* its text, NUL-terminated, safe to show */
};

struct piece {
	enum piece_kind kind;
	int64_t us;		/* since the first piece */
	int64_t utc_us;
	const uint8_t *data;
	size_t n;
};

struct pieces;

/*
 * in is positioned by jread_range(since, until); it stays the
 * caller's.  What a line that had begun before since showed then comes at 0.
 * idle_us: no pause is longer than this; -1: as it was.
 */
struct pieces *pieces_new(struct jread *in, int64_t since_us,
    int64_t until_us, int64_t idle_us);
void pieces_free(struct pieces *);

/* 1: the next one, valid until the next call; 0: the end; -1 with errno. */
int pieces_next(struct pieces *, struct piece *);

#endif
