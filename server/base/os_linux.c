#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os.h"

void
os_random(void *p, size_t n)
{
	uint8_t *b = p;
	ssize_t got;

	while (n > 0) {
		got = getrandom(b, n, 0);
		if (got == -1) {
			if (errno == EINTR)
				continue;
			abort();
		}
		b += got;
		n -= (size_t)got;
	}
}

int
os_anon_fd(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC);
}

int
os_peer_id(int fd, uid_t *uid, gid_t *gid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return -1;
	*uid = cred.uid;
	*gid = cred.gid;
	return 0;
}

int
os_no_dump(void)
{
	struct rlimit rl = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &rl) == -1)
		return -1;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
os_close_from(int fd)
{
	if (syscall(SYS_close_range, (unsigned)fd, ~0U, 0) == 0)
		return;
	for (int max = (int)sysconf(_SC_OPEN_MAX); fd < max; fd++)
		close(fd);
}

void
os_die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

void
os_live_on(void)
{
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

/* "": not read yet. */
static char boot_id[OS_BOOT_ID];

static int
read_boot_id(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = read(fd, boot_id, sizeof(boot_id) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	boot_id[n] = '\0';
	boot_id[strcspn(boot_id, "\n")] = '\0';
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

int
os_sync(int fd)
{
	return fdatasync(fd);
}

int
os_poll(struct pollfd *fds, size_t n, const struct timespec *timeout)
{
	return ppoll(fds, (nfds_t)n, timeout, NULL);
}

int
os_self_path(char *dst, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", dst, size - 1);

	if (n == -1)
		return -1;
	dst[n] = '\0';
	return 0;
}

const char *
os_self_running(void)
{
	return "/proc/self/exe";
}

int
os_tcp_user_timeout(int fd, unsigned ms)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

int
os_bind_interface(int fd, const char *name)
{
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name,
	    (socklen_t)strlen(name));
}

int
os_tcp_quickack(int fd)
{
	int one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

bool
os_clock_synced(void)
{
	struct timex t = { .modes = 0 };
	int state = ntp_adjtime(&t);

	return state != -1 && state != TIME_ERROR;
}
