/*
 * typed: what one user typed on a line, and whether the device echoed it.
 * Only what was echoed may be recorded: a password is not.  Pure.
 *
 * Typed bytes wait until the device sends them back, in order and with
 * nothing between; anything else the device sends first marks the typed line
 * as not echoed.  A typed line ends with CR or LF.
 */
#ifndef SERIAL_TYPED_H
#define SERIAL_TYPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TYPED_MAX 512		/* bytes of one typed line that are kept */

struct typed {
	uint8_t line[TYPED_MAX];
	size_t len;		/* typed since the last line end */
	size_t echoed;		/* of them came back */
	size_t total;		/* typed since typed_take, any number */
	bool ended;		/* the line ended: typed_take is due */
	bool hidden;		/* not echoed, or too long to judge */
};

void typed_init(struct typed *);

/* The user typed this.  Returns how many bytes were looked at: stop and call
   typed_take when ended is set. */
size_t typed_add(struct typed *, const uint8_t *, size_t);

/* The device sent this. */
void typed_echo(struct typed *, const uint8_t *, size_t);

/*
 * Take the typed line: *total bytes were typed; the text (without its end,
 * *n bytes, valid until the next call) or NULL when it must not be recorded.
 * Starts the next line.
 */
const uint8_t *typed_take(struct typed *, size_t *n, size_t *total);

#endif
