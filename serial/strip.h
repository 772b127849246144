/*
 * strip: what a device sent, made safe to show.  Two forms: strip_line turns
 * one line into plain text; strip_screen lets a terminal draw what the device
 * drew, but nothing that answers, writes the clipboard, sets titles or leaves
 * the terminal in another mode.  Pure.
 *
 * Both are built for line noise: a control string ends at its terminator, at
 * BEL, CAN, SUB or LF, and after STRIP_STRING bytes at the latest, and C1
 * controls never begin one (at a wrong speed they are everywhere).
 */
#ifndef SERIAL_STRIP_H
#define SERIAL_STRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRIP_STRING 4096	/* bytes of OSC, DCS, SOS, PM, APC */
#define STRIP_CSI 64		/* bytes of a CSI sequence */
#define STRIP_PARAMETERS 16	/* in one, of so many digits each: */
#define STRIP_DIGITS 5

/*
 * One line (no LF) as text.  CR goes back to the first column and what follows
 * overwrites, as do BS, TAB and the cursor and erase sequences within a line;
 * where the cursor was addressed freely (a menu) the pieces are set apart by
 * " ~ ".  Invalid UTF-8 and C1 controls become U+FFFD, other controls vanish.
 * Writes at most size - 1 bytes and NUL; STRIP_ROOM(n) is always enough.
 * Returns the length.
 */
#define STRIP_ROOM(n) (8 * (n) + 1)
size_t strip_line(const void *line, size_t n, char *dst, size_t size);

/* A stream, for replay.  The fields are private. */
struct strip_screen {
	bool plain;
	uint8_t state;
	bool cr;
	size_t seen;		/* bytes in this sequence */
	uint8_t held[STRIP_CSI];
	size_t nheld;
};

/*
 * plain: no sequences at all, CR LF becomes LF (a pipe).  Else a reset (ESC c)
 * becomes the sequences that clear the screen.
 */
void strip_screen_init(struct strip_screen *, bool plain);

/*
 * Filter n bytes to dst, which has STRIP_SCREEN_ROOM(n) bytes.  A sequence or
 * character that n cuts off is held for the next call.  Returns the length.
 */
#define STRIP_SCREEN_ROOM(n) (5 * ((n) + STRIP_CSI))
size_t strip_screen(struct strip_screen *, const void *, size_t n, void *dst);

/* What brings a terminal back to its senses after a replay. */
const char *strip_screen_reset(void);

#endif
