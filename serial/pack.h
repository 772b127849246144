/*
 * pack: a closed segment becomes NAME.zst: independent zstd frames and a seek
 * table (zseek.h), which zstdcat and zstdgrep read as they are.  Whatever
 * happens on the way, one of both files holds the whole text at any time.
 */
#ifndef SERIAL_PACK_H
#define SERIAL_PACK_H

#include <stdbool.h>

#define PACK_FRAME (256 * 1024)	/* text in one frame */
#define PACK_TEMP ".tmp"	/* added to the name while it is written */

struct pack_ops {
	/* Called after each frame, worked_us of the clock; false: give up. */
	bool (*pace)(void *arg, long long worked_us);
	void *arg;
};

/*
 * Write and sync NAME.zst, compare all of it with the segment, sync the
 * folder, and only then remove the segment.  A NAME.zst that is there already
 * is kept if it is whole.  0, or -1 with errno (ECANCELED: pace said so; EIO:
 * what was written does not read back), and the segment is as it was.
 */
int pack_segment(int dirfd, const char *name, const struct pack_ops *);

#endif
