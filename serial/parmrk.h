/*
 * parmrk: what a tty with PARMRK gives, taken apart.  A good 0xFF comes as
 * FF FF, a byte x that arrived broken as FF 00 x, a BREAK as FF 00 00.
 * Pure.  (A NUL that arrived broken looks like a BREAK and counts as one.)
 */
#ifndef SERIAL_PARMRK_H
#define SERIAL_PARMRK_H

#include <stddef.h>
#include <stdint.h>

/* All zero to start with; keep from chunk to chunk, zero after a re-open. */
struct parmrk {
	uint8_t seen;		/* bytes of an unfinished mark: 0, 1 or 2 */
	uint64_t breaks;	/* since the start */
	uint64_t errors;	/* bytes with a framing or parity error */
};

/*
 * Decode n bytes of in into out, which has room for n + 1 and does not
 * overlap in.  Returns how many bytes of data there are.  Broken bytes are
 * data, too; a BREAK is not.  An impossible sequence is passed on as it is.
 */
size_t parmrk_decode(struct parmrk *, const uint8_t *in, size_t n,
    uint8_t *out);

#endif
