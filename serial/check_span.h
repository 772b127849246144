/*
 * check_span: the lines under one seal, and what became of them.  Pure.
 */
#ifndef SERIAL_CHECK_SPAN_H
#define SERIAL_CHECK_SPAN_H

#include "check.h"

#define CHECK_LINES 16384	/* remembered of a span; a seal has 1024 */

struct check_line {
	uint16_t check;
	bool seal;		/* it looks like a seal */
	uint64_t fold;		/* longer hash: is it another's copy? */
	int64_t utc_us;
};

struct check_span {
	size_t first;		/* number of the first line */
	size_t count;		/* may be more than is remembered */
	struct check_line *lines;	/* CHECK_LINES of them */
};

/* The seal's hash is not that of the span: what happened to it? */
void check_span_tell(const struct check_span *, const struct seal_fields *,
    struct check_finding *);

#endif
