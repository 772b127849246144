/*
 * sieve: the literals of a needle, all looked for in one pass.  A line that
 * has none of them costs one look at each of its bytes, however many there
 * are; needle_find looks for one after the other, which is better for two or
 * for texts far longer than a line.  Pure.
 */
#ifndef SERIAL_SIEVE_H
#define SERIAL_SIEVE_H

#include <stddef.h>
#include <stdint.h>

#include "needle.h"

struct sieve {
	const struct needle *needle;
	/* By byte: the literals whose pair has it first, or second. */
	uint32_t first[256], second[256];
	uint8_t at[NEEDLE_MAX];	/* where the pair stands in each */
};

/* The needle stays the caller's, and has to last; its count is not 0. */
void sieve_make(struct sieve *, const struct needle *);

/* A place in p of any of the literals, the first line's; or NULL. */
const char *sieve_find(const struct sieve *, const char *p, size_t n);

#endif
