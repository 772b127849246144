/*
 * short.so: reads and writes that do less than they were asked to, and calls
 * that a signal interrupts, at random.  Loaded with LD_PRELOAD (Linux, glibc).
 * OOBD_SHORT is the seed, of which each process makes its own by its role; a
 * tenth of all calls is interrupted, a third is short.  Only streams are
 * (files, pipes, terminals, stream sockets), as the kernel may do it to them;
 * not a file without a size, which is one of /proc or /sys.  A network socket
 * that does not wait cannot be interrupted (libssh relies on that).  A third
 * of all looks at whether there is room to write is a moment too early: there
 * is none yet, and there is by the next look.
 */
#include <sys/types.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INTERRUPTED 10		/* one in so many */
#define SHORT 3

/* Fortified entrances of libc. */
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *,
    const sigset_t *, size_t);

static _Atomic uint64_t state;

__attribute__((constructor)) static void
begin(void)
{
	const char *seed = getenv("OOBD_SHORT");
	char args[256];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : syscall(SYS_read, fd, args, sizeof(args));

	if (fd != -1)
		close(fd);
	if (seed == NULL)
		return;
	state = strtoull(seed, NULL, 10) * 2 + 1;
	for (ssize_t i = 0; i < n; i++)
		state = (state ^ (uint8_t)args[i]) * UINT64_C(1099511628211);
	state |= 1;
}

static unsigned
dice(unsigned sides)
{
	uint64_t x = state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	state = x;
	return (unsigned)(x >> 33) % sides;
}

static bool
interrupted(void)
{
	if (state == 0 || dice(INTERRUPTED) != 0)
		return false;
	errno = EINTR;
	return true;
}

static bool
is_stream(int fd)
{
	int saved = errno, type = 0;
	socklen_t len = sizeof(type);
	struct stat st;
	bool yes = false;

	if (fstat(fd, &st) == 0)
		yes = (S_ISREG(st.st_mode) && st.st_size > 0) || S_ISFIFO(st.st_mode) ||
		    (S_ISCHR(st.st_mode) && isatty(fd)) ||
		    (S_ISSOCK(st.st_mode) && getsockopt(fd, SOL_SOCKET,
		    SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM);
	errno = saved;
	return yes;
}

static bool
may_wait(int fd)
{
	int saved = errno, domain = AF_UNIX;
	socklen_t len = sizeof(domain);
	bool yes;

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	yes = domain == AF_UNIX || (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
	errno = saved;
	return yes;
}

static size_t
some(int fd, size_t n)
{
	if (state == 0 || n < 2 || !is_stream(fd) ||
	    dice(SHORT) != 0)
		return n;
	return 1 + dice(n > UINT32_MAX ? UINT32_MAX : (unsigned)n - 1);
}

ssize_t
read(int fd, void *p, size_t n)
{
	if (is_stream(fd) && may_wait(fd) && interrupted())
		return -1;
	return syscall(SYS_read, fd, p, some(fd, n));
}

ssize_t
__read_chk(int fd, void *p, size_t n, size_t room)
{
	if (n > room)
		abort();
	return read(fd, p, n);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	if (is_stream(fd) && may_wait(fd) && interrupted())
		return -1;
	return syscall(SYS_write, fd, p, some(fd, n));
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
	return interrupted() ? -1 : syscall(SYS_pread64, fd, p, some(fd, n),
	    at);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	return interrupted() ? -1 : syscall(SYS_pwrite64, fd, p, some(fd, n),
	    at);
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
	if (may_wait(fd) && interrupted())
		return -1;
	return syscall(SYS_recvfrom, fd, p, some(fd, n), flags, NULL, NULL);
}

ssize_t
__recv_chk(int fd, void *p, size_t n, size_t room, int flags)
{
	if (n > room)
		abort();
	return recv(fd, p, n, flags);
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	if (may_wait(fd) && interrupted())
		return -1;
	return syscall(SYS_sendto, fd, p, some(fd, n), flags, NULL, 0);
}

/* One piece, and less of it. */
static ssize_t
message(long call, int fd, const struct msghdr *msg, int flags)
{
	struct msghdr copy = *msg;
	struct iovec iov;
	ssize_t r;

	if (interrupted())
		return -1;
	if (msg->msg_iovlen != 1)
		return syscall(call, fd, msg, flags);
	iov = msg->msg_iov[0];
	iov.iov_len = some(fd, iov.iov_len);
	copy.msg_iov = &iov;
	r = syscall(call, fd, &copy, flags);
	if (call == SYS_recvmsg) {
		((struct msghdr *)(uintptr_t)msg)->msg_controllen =
		    copy.msg_controllen;
		((struct msghdr *)(uintptr_t)msg)->msg_flags = copy.msg_flags;
	}
	return r;
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return message(SYS_sendmsg, fd, msg, flags);
}

ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	return message(SYS_recvmsg, fd, msg, flags);
}

int
poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	return ppoll(fds, n, ms < 0 ? NULL : &ts, NULL);
}

int
__poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t room)
{
	if (n > room / sizeof(*fds))
		abort();
	return poll(fds, n, ms);
}

/* A look at one that is to be written to; waits for nothing. */
static bool
is_look(const struct pollfd *fds, nfds_t n, const struct timespec *ts)
{
	return n == 1 && fds->events == POLLOUT && ts != NULL &&
	    ts->tv_sec == 0 && ts->tv_nsec == 0;
}

int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
    const sigset_t *mask)
{
	struct timespec copy;

	if (interrupted())
		return -1;
	if (state != 0 && is_look(fds, n, ts) && dice(SHORT) == 0) {
		fds->revents = 0;
		return 0;
	}
	if (ts != NULL)
		copy = *ts;	/* the kernel writes to it */
	return (int)syscall(SYS_ppoll, fds, n, ts == NULL ? NULL : &copy,
	    mask, _NSIG / 8);
}

int
__ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts,
    const sigset_t *mask, size_t room)
{
	if (n > room / sizeof(*fds))
		abort();
	return ppoll(fds, n, ts, mask);
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
	if (interrupted())
		return -1;
	return epoll_pwait(fd, events, max, ms, NULL);
}
