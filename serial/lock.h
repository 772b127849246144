/*
 * lock: the part of locking a tty that differs between systems: lock files,
 * and who holds a device.  (flock and TIOCEXCL are port.c's.)
 */
#ifndef SERIAL_LOCK_H
#define SERIAL_LOCK_H

#include <stddef.h>
#include <sys/types.h>

struct lock_holder {
	pid_t pid;		/* 0: not known */
	char name[32];		/* of the program, or "" */
};

/*
 * Before opening: claim path (links resolved) for owner, a process that
 * outlives the caller.  0.  1: no claim could be made, but nobody else has
 * one either; why says what is wrong.  -1 with errno EBUSY and the holder.
 */
int lock_claim(const char *path, pid_t owner, struct lock_holder *, char *why,
    size_t whysize);

/* Give the claim back, if it is owner's. */
void lock_release(const char *path, pid_t owner);

/* Who else has the device open, the one with a lock on it first. */
void lock_find(const char *path, struct lock_holder *);

#endif
