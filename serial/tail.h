/*
 * tail: the last lines of a history, as text.
 */
#ifndef SERIAL_TAIL_H
#define SERIAL_TAIL_H

#include <stdbool.h>

#include "history.h"

#define TAIL_LINES_MAX 1000

/*
 * The last n lines (at most TAIL_LINES_MAX; an unfinished one counts), without
 * control sequences and each ended by CR LF, or raw: as they came.  *end is
 * the offset after the last byte looked at.  Never NULL; the caller frees.
 */
char *tail_text(const struct history *, unsigned n, bool raw, uint64_t *end);

#endif
