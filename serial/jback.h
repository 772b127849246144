/*
 * jback: the lines of a file, last to first, read in blocks from its end.
 */
#ifndef SERIAL_JBACK_H
#define SERIAL_JBACK_H

#include <stddef.h>
#include <stdint.h>

struct jback;

/* NULL with errno. */
struct jback *jback_new(int dirfd, const char *name);
void jback_free(struct jback *);

/* Offset after the last LF, and how many bytes follow it (a torn record). */
uint64_t jback_whole(const struct jback *);
uint64_t jback_torn(const struct jback *);

/*
 * The next line towards the beginning, without its LF, and where it starts
 * (at may be NULL).  Valid until the next call.  1; 0 at the beginning; -1
 * with errno.  Lines longer than any record are passed over.
 */
int jback_line(struct jback *, const char **line, size_t *n, uint64_t *at);

/* Bytes read from the file so far. */
uint64_t jback_read(const struct jback *);

#endif
