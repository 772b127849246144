/*
 * pass: a frame with a descriptor, at once, for who has no loop to run a link
 * in (link.h).
 */
#ifndef BASE_PASS_H
#define BASE_PASS_H

#include <sys/types.h>

#include "frame.h"

/*
 * Finish this frame and send it over a socket that has room for it, with fd,
 * which stays the caller's (-1: without any).  Never blocks.  0, or -1 with
 * errno; then a part of it may have been sent.
 */
int pass_send(int sock, struct frame_out *, int fd);

/*
 * As read(2).  A descriptor that came along is in *fd and the caller's,
 * close-on-exec; else *fd is left as it is.  Of several the first.
 */
ssize_t pass_receive(int sock, void *, size_t n, int *fd);

#endif
