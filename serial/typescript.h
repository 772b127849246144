/*
 * typescript: the codec of script(1) recordings of util-linux: the bytes, behind
 * one line of text, and the timing of its `advanced` form (--log-timing).
 * And of the archive that both travel in.  Pure.
 */
#ifndef SERIAL_TYPESCRIPT_H
#define SERIAL_TYPESCRIPT_H

#include <stddef.h>
#include <stdint.h>

#define TYPESCRIPT_LINE 128		/* room for any of the lines */

struct typescript {
	int64_t last_us;	/* timing counts from the last piece */
};

/* The first line of the typescript; players pass over it. */
size_t typescript_first_line(char dst[TYPESCRIPT_LINE], int64_t utc_us,
    unsigned columns, unsigned rows);

/* How timing begins: a few lines.  dst has 4 * TYPESCRIPT_LINE. */
size_t typescript_begin(struct typescript *, char *dst, int64_t utc_us,
    unsigned columns, unsigned rows);

/* n bytes came at `us` since the beginning. */
size_t typescript_timing(struct typescript *, char dst[TYPESCRIPT_LINE], int64_t us,
    size_t n);

/*
 * A member's header in a ustar archive: its bytes follow, with zeros up to a
 * multiple of TAR_BLOCK; two blocks of zeros end the archive.
 */
#define TAR_BLOCK 512
void tar_head(char dst[TAR_BLOCK], const char *name, uint64_t size,
    int64_t utc_us);

#endif
