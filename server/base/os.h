/*
 * os: the few system calls that differ between FreeBSD and Linux.  One whole
 * file per system (os_linux.c, os_freebsd.c); the Makefile picks.
 */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <stdbool.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>
#include <sys/types.h>

/* Fill p with n random bytes from the kernel.  Never fails (aborts). */
void os_random(void *p, size_t n);

/* An anonymous file, close-on-exec, size 0.  -1 with errno. */
int os_anon_fd(const char *name);

/* Who is at the other end of a connected Unix socket.  0, or -1 with errno. */
int os_peer_id(int fd, uid_t *uid, gid_t *gid);

/* No core dumps, no ptrace by others of the same user.  0 or -1. */
int os_no_dump(void);

/* Close every descriptor from fd on. */
void os_close_from(int fd);

/* Ask the kernel to kill us (SIGKILL) when our parent dies, where it can. */
void os_die_with_parent(void);
/* Take that back. */
void os_live_on(void);

/*
 * Text that differs from one boot of the system to the next, and at no other
 * time; OS_BOOT_ID bytes are enough.  0 and dst filled, or -1.  Once known it
 * is remembered, for a process that opens no more paths; the first time is
 * before there are threads.
 */
#define OS_BOOT_ID 64
int os_boot_id(char *dst, size_t size);

/* fdatasync(2), or what comes nearest to it in a sealed process (sandbox.h). */
int os_sync(int fd);

/* ppoll(2) with no signals; timeout NULL: none.  The same holds. */
int os_poll(struct pollfd *, size_t n, const struct timespec *timeout);

/* Is the wall clock kept right, by NTP or the like?  Unknown is false. */
bool os_clock_synced(void);

/* Path of the running program for re-exec, or -1.  0 and dst filled. */
int os_self_path(char *dst, size_t size);

/*
 * A path that still leads to it when an upgrade has put something else where
 * it was; NULL where this system has no such thing.
 */
const char *os_self_running(void);

/* TCP: drop the connection when sent data stays unacknowledged for ms. */
int os_tcp_user_timeout(int fd, unsigned ms);

/*
 * Let this socket use only the named interface.  0, or -1 with errno: ENOTSUP
 * where there is no such thing, and routes alone decide.
 */
int os_bind_interface(int fd, const char *name);

/* TCP: send acknowledgements at once (re-arm after each read); -1 if none. */
int os_tcp_quickack(int fd);

#endif
