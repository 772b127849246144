#include <sys/types.h>
#include <sys/mman.h>
#include <sys/procctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <sys/time.h>
#include <sys/timex.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os.h"

void
os_random(void *p, size_t n)
{
	arc4random_buf(p, n);
}

int
os_anon_fd(const char *name)
{
	int fd;

	(void)name;
	fd = shm_open(SHM_ANON, O_RDWR, 0600);
	if (fd != -1)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

int
os_peer_id(int fd, uid_t *uid, gid_t *gid)
{
	return getpeereid(fd, uid, gid);
}

int
os_no_dump(void)
{
	struct rlimit rl = { 0, 0 };
	int off = PROC_TRACE_CTL_DISABLE;

	if (setrlimit(RLIMIT_CORE, &rl) == -1)
		return -1;
	return procctl(P_PID, getpid(), PROC_TRACE_CTL, &off);
}

void
os_close_from(int fd)
{
	closefrom(fd);
}

void
os_die_with_parent(void)
{
	/*
	 * The end of the channel to the supervisor is what ends a child;
	 * FreeBSD 11 has no parent-death signal to add to that.
	 */
}

void
os_live_on(void)
{
	/* Nothing was asked for above. */
}

/* "": not read yet. */
static char boot_id[OS_BOOT_ID];

/* Before 12.1 there is only the time of boot: then a step of the clock looks
 * like a boot, which is the safe mistake. */
static int
read_boot_id(void)
{
	struct timeval at;
	uint8_t id[16];
	size_t len = sizeof(id), n = 0;

	if (sysctlbyname("kern.boot_id", id, &len, NULL, 0) == 0) {
		for (size_t i = 0; i < len; i++)
			n += (size_t)snprintf(boot_id + n,
			    sizeof(boot_id) - n, "%02x", id[i]);
		return 0;
	}
	len = sizeof(at);
	if (sysctlbyname("kern.boottime", &at, &len, NULL, 0) == -1)
		return -1;
	snprintf(boot_id, sizeof(boot_id), "%lld.%06ld", (long long)at.tv_sec,
	    (long)at.tv_usec);
	return 0;
}

int
os_boot_id(char *dst, size_t size)
{
	if ((boot_id[0] == '\0' && read_boot_id() == -1) ||
	    strlen(boot_id) >= size)
		return -1;
	memcpy(dst, boot_id, strlen(boot_id) + 1);
	return 0;
}

/*
 * Both calls were let into capability mode some years after it began; where
 * they are not yet, their elders do, to the millisecond.
 */

int
os_sync(int fd)
{
	int r = fdatasync(fd);

	return r == -1 && errno == ECAPMODE ? fsync(fd) : r;
}

int
os_poll(struct pollfd *fds, size_t n, const struct timespec *timeout)
{
	int r = ppoll(fds, (nfds_t)n, timeout, NULL);
	int64_t ms = -1;

	if (r != -1 || errno != ECAPMODE)
		return r;
	if (timeout != NULL)
		ms = (int64_t)timeout->tv_sec * 1000 +
		    (timeout->tv_nsec + 999999) / 1000000;
	return poll(fds, (nfds_t)n, ms > INT_MAX ? INT_MAX : (int)ms);
}

int
os_self_path(char *dst, size_t size)
{
	int mib[4] = { CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1 };

	return sysctl(mib, 4, dst, &size, NULL, 0);
}

const char *
os_self_running(void)
{
	return NULL;
}

int
os_tcp_user_timeout(int fd, unsigned ms)
{
	int idle = (int)(ms / 2000), intvl = (int)(ms / 6000), count = 3;

	/*
	 * No such option here: keepalive probes bound a dead peer to the same
	 * time.
	 */
	if (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle,
	    sizeof(idle)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &intvl,
	    sizeof(intvl)) == -1)
		return -1;
	return setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

int
os_bind_interface(int fd, const char *name)
{
	(void)fd;
	(void)name;
	errno = ENOTSUP;
	return -1;
}

int
os_tcp_quickack(int fd)
{
	(void)fd;
	errno = ENOTSUP;
	return -1;
}

bool
os_clock_synced(void)
{
	/* Not ntp_adjtime: one in capability mode may only ask. */
	struct ntptimeval t;
	int state = ntp_gettime(&t);

	return state != -1 && state != TIME_ERROR;
}
