/*
 * aside: close a device that may be gone.  The kernel waits for what was
 * written to a tty, and asks the device to drop its lines: with a USB stick
 * that was pulled out, or hangs, that takes seconds (5 per question that it
 * does not answer, 30 for what it does not take), and no signal ends it.  So a
 * thread of its own waits.
 */
#ifndef BASE_ASIDE_H
#define BASE_ASIDE_H

/*
 * close(2), later or now; fd is not the caller's any more.  What keeps others
 * from opening the device (flock, TIOCEXCL) is taken back before this returns.
 * At the end of the process the kernel waits all the same.
 */
void aside_close(int fd);

#endif
