/*
 * reserve: a file that holds back a little of the disk, so that a full one
 * still takes the line which says that it is full.
 */
#ifndef SERIAL_RESERVE_H
#define SERIAL_RESERVE_H

#define RESERVE_NAME ".reserve"
#define RESERVE_BYTES 65536

/* Make it if it is missing.  0, or -1 with errno and nothing is left. */
int reserve_make(int dirfd);
/* Give it up.  0, or -1: there is none. */
int reserve_spend(int dirfd);

#endif
