/*
 * segment: the text of one segment of a journal, from any place, whichever
 * form its file has: plain, or packed (pack.h).  Of a packed one no more than
 * one frame is in memory.
 */
#ifndef SERIAL_SEGMENT_H
#define SERIAL_SEGMENT_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment;

#define SEGMENT_FRAME_MAX (16 * 1024 * 1024)	/* text in one, at most */

/*
 * By the name that jdir_list gave; one that was packed meanwhile is opened in
 * its new form.  NULL with errno: EBADMSG, a packed one without seek table.
 */
struct segment *segment_open(int dirfd, const char *name);
void segment_close(struct segment *);	/* NULL is fine */

/*
 * Up to n bytes of the text at `at`: how many, 0 at the end, -1 with errno.  A
 * frame that cannot be unpacked reads as NUL bytes, and is counted.
 */
ssize_t segment_read(struct segment *, void *, size_t n, uint64_t at);

/* Bytes of text; a plain one may grow.  0, or -1 with errno. */
int segment_size(const struct segment *, uint64_t *size);

bool segment_is_packed(const struct segment *);
unsigned segment_damaged(const struct segment *);	/* frames */
uint64_t segment_taken(const struct segment *);	/* bytes read from the disk */

#endif
