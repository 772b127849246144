/*
 * intruder: somebody's code in the place of a process of ours.  Loaded with
 * LD_PRELOAD; build/tests/intruder.so.  When a confined process waits, it
 * looks for files OOBD_INTRUDER/ROLE.DEED, does each such deed once, and says
 * on standard error what came of it: "intruder ROLE.DEED: ok", or the name of
 * the error.  With OOBD_INTRUDER_ANYHOW set, in one that is not confined, too.
 * The role OOBD_INTRUDER_BROKEN ends at once when it is to be confined.  With
 * OOBD_INTRUDER_NEEDS set, libssh makes no session where this file cannot be
 * opened.
 *
 * What deeds are done to: OOBD_INTRUDER_TTY, _KEY, _CODES, _JOURNAL, _FILE,
 * _CONTROL (paths), _PORT (of a TCP server on 127.0.0.1).
 */
#include <sys/types.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOON_NS 50000000

#define HELD_MAX 64	/* descriptors that are looked at */
#define ORDERS_FD 200	/* the folder OOBD_INTRUDER: paths may end */

static char role[32];
static int orders = -1;

static const char *
target(const char *what)
{
	char name[64];
	const char *value;

	snprintf(name, sizeof(name), "OOBD_INTRUDER_%s", what);
	value = getenv(name);
	return value == NULL ? "/nonexistent" : value;
}

/* 0, or the error. */
static int
opened(const char *path, int flags)
{
	int fd = open(path, flags | O_NOCTTY | O_NONBLOCK, 0600);

	if (fd == -1)
		return errno;
	close(fd);
	return 0;
}

static int
tty(void)
{
	return opened(target("TTY"), O_RDWR);
}

static int
key(void)
{
	return opened(target("KEY"), O_RDONLY);
}

static int
codes(void)
{
	return opened(target("CODES"), O_RDONLY);
}

static int
journal(void)
{
	return opened(target("JOURNAL"), O_RDONLY);
}

static int
new_file(void)
{
	return opened(target("FILE"), O_WRONLY | O_CREAT);
}

static int
over_key(void)
{
	return opened(target("KEY"), O_WRONLY);
}

static int
memory(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
	return opened(path, O_RDWR);
}

static int
signal_parent(void)
{
	return kill(getppid(), SIGCONT) == -1 ? errno : 0;
}

static int
signal_all(void)
{
	return syscall(SYS_kill, -1, 0) == -1 ? errno : 0;
}

static int
fork_one(void)
{
	pid_t pid = fork();

	if (pid == -1)
		return errno;
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return 0;
}

static int
take_handler(void)
{
	return signal(SIGSYS, SIG_IGN) == SIG_ERR ? errno : 0;
}

static int
inject(void)
{
	char c = 'x';

	return ioctl(STDERR_FILENO, TIOCSTI, &c) == -1 ? errno : 0;
}

/* Of these one does not come back. */

static int
exec_one(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	execve("/bin/true", argv, NULL);
	return errno;
}

static int
trace(void)
{
	return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) == -1 ? errno : 0;
}

static int
peek(void)
{
	char here[8];
	struct iovec to = { here, sizeof(here) }, from = { (void *)role, 8 };

	return process_vm_readv(getppid(), &to, 1, &from, 1, 0) == -1 ?
	    errno : 0;
}

static int
become_root(void)
{
	return setuid(0) == -1 ? errno : 0;
}

static int
mount_one(void)
{
	return mount("none", "/mnt", "tmpfs", 0, "") == -1 ? errno : 0;
}

static int
unknown_call(void)
{
	return syscall(699) == -1 ? errno : 0;
}

/* Until it is refused: no answer comes from one that always may. */

static int
path_then(void)
{
	int r = opened(target("CODES"), O_RDONLY);

	return r == 0 ? -1 : r;
}

static int
readable_then(void)
{
	int r = opened("/etc/passwd", O_RDONLY);

	return r == 0 ? -1 : r;
}

static int
looked_then(void)
{
	return access("/usr", R_OK) == -1 ? errno : -1;
}

/* What a folder that is held open leads to. */

/* 0 if it is opened below any of them, or the last error. */
static int
held_open(const char *name, int flags)
{
	int r = ENOENT, fd;

	for (int i = 0; i < HELD_MAX; i++) {
		fd = openat(i, name, flags | O_NOCTTY | O_NONBLOCK, 0600);
		if (fd != -1) {
			close(fd);
			return 0;
		}
		if (errno != EBADF && errno != ENOTDIR && errno != ENOENT)
			r = errno;
	}
	return r;
}

static int
held(void)
{
	return held_open(strcmp(role, "signer") == 0 ? "codes/alice" :
	    "gw/current", O_RDONLY);
}

static int
held_write(void)
{
	return held_open("gw/current", O_WRONLY);
}

/* From any of them up, as far as to where all of the site is. */
static int
held_up(void)
{
	const char *name = strrchr(target("KEY"), '/') + 1;
	char path[256];
	int r = ENOENT, one;

	for (int i = 1; i < 4; i++) {
		snprintf(path, sizeof(path), "%.*sstate/%s", 3 * i,
		    "../../../", name);
		one = held_open(path, O_RDONLY);
		if (one == 0)
			return 0;
		if (one != ENOENT)
			r = one;
	}
	return r;
}

/* Frames to the supervisor: docs/frames.md. */

#define SUPERVISOR 3
#define HEAD 8
#define HIGH "\xff\xff\xff\xf0"	/* a request's number */

static int
send_raw(unsigned type, unsigned flags, unsigned long claimed,
    const char *payload, size_t n)
{
	unsigned char b[HEAD + 256] = { (unsigned char)(claimed >> 24),
	    (unsigned char)(claimed >> 16), (unsigned char)(claimed >> 8),
	    (unsigned char)claimed, (unsigned char)(type >> 8),
	    (unsigned char)type, 0, (unsigned char)flags };

	memcpy(b + HEAD, payload, n);
	return write(SUPERVISOR, b, HEAD + n) == (ssize_t)(HEAD + n) ? 0 :
	    errno;
}

static int
put(unsigned type, const char *payload, size_t n)
{
	return send_raw(type, 0, n, payload, n);
}

static int
is(const char *who)
{
	return strcmp(role, who) == 0;
}

/* The console's UP_OPEN_TTY; of itself the modem's UP_POWER. */
static int
unlisted(void)
{
	return is("console") ? put(0x050b, "", 0) :
	    put(0x0502, "\0\2gw", 4);
}

static int
malformed(void)
{
	return put(is("console") ? 0x0502 : is("ssh") ? 0x050e :
	    is("modem") ? 0x050a : 0x050f, "\0\0\0\1\0", 5);
}

static int
oversized(void)
{
	return send_raw(0x0505, 0, 0x100000, "", 0);
}

static int
no_descriptor(void)
{
	return send_raw(0x0505, 1, 0, "", 0);
}

static int
descriptor(void)
{
	struct iovec iov = { "\0\0\0\0\x05\x05\0\1", HEAD };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} c;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &c, .msg_controllen = sizeof(c) };
	int fd = STDERR_FILENO;

	memset(&c, 0, sizeof(c));
	c.head.cmsg_level = SOL_SOCKET;
	c.head.cmsg_type = SCM_RIGHTS;
	c.head.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
	return sendmsg(SUPERVISOR, &m, 0) == -1 ? errno : 0;
}

static int
pong(void)
{
	return put(0x0501, HIGH, 4);
}

static int
ready(void)
{
	return put(0x0505, "", 0);
}

/* What it may ask for, twice with the same number. */
static int
replay(void)
{
	static const char reader[] = HIGH "\0\0\0\0\0\1\0\3log";
	static const char sink[] = HIGH "\0\1x";
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		if (is("console"))
			r = put(0x0504, reader, sizeof(reader) - 1);
		else if (is("ssh"))
			r = put(0x050c, HIGH, 4);
		else
			r = put(0x050f, sink, sizeof(sink) - 1);
	}
	return r;
}

/* Not a hash. */
static int
hash(void)
{
	return put(0x050d, "\0\0\0\0\xff\xff\xff\xff\0\5../..", 15);
}

/* Frames to the console process, from one that speaks to it. */

static int console_fd = -1;

static int
tell_console(unsigned type, const char *payload, size_t n)
{
	unsigned char b[HEAD + 256] = { 0, 0, 0, (unsigned char)n,
	    (unsigned char)(type >> 8), (unsigned char)type };

	memcpy(b + HEAD, payload, n);
	return write(console_fd, b, HEAD + n) == (ssize_t)(HEAD + n) ? 0 :
	    errno;
}

/* "I am bob": RQ_OPEN, then RQ_ATTACH with force, then RQ_INPUT. */
static int
impersonate(const char *sid, const char *voucher, size_t nvoucher)
{
	static const char who[] = "\0\3bob" "\0\011" "10.0.0.99"
	    "\0\3ssh" "\0\0";
	char b[256];
	size_t n = sizeof(who) - 1;
	int r;

	memcpy(b, sid, 4);
	memcpy(b + 4, who, n);
	memcpy(b + 4 + n, voucher, nvoucher);
	r = tell_console(0x0102, b, 4 + n + nvoucher);
	memcpy(b + 4, "\0\0\2", 3);
	r = r == 0 ? tell_console(0x0104, b, 7) : r;
	memcpy(b + 4, "reboot\r", 7);
	return r == 0 ? tell_console(0x0106, b, 11) : r;
}

static int
unvouched(void)
{
	static const char guess[] = "\0\100"
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	int r = impersonate("\x7f\0\0\1", "", 0);

	r = r == 0 ? impersonate("\x7f\0\0\2", "\0\0", 2) : r;
	return r == 0 ? impersonate("\x7f\0\0\3", guess,
	    sizeof(guess) - 1) : r;
}

/* A libssh that has begun to read a file of the system's. */
struct ssh_session_struct *ssh_new(void);

struct ssh_session_struct *
ssh_new(void)
{
	static struct ssh_session_struct *(*real)(void);
	const char *path = getenv("OOBD_INTRUDER_NEEDS");
	void *sym;

	if (path != NULL && opened(path, O_RDONLY) != 0)
		return NULL;
	if (real == NULL) {
		sym = dlsym(RTLD_NEXT, "ssh_new");
		memcpy(&real, &sym, sizeof(real));
	}
	return real();
}

#include "intruder_net.h"

/* Through a folder, or whatever else it holds: an absolute path. */
static int
around(void)
{
	int fd = openat(SUPERVISOR, "/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return errno;
	close(fd);
	return 0;
}

/* A relay of nobody's configuration, answered by a no. */
static int
dial_other(void)
{
	return put(0x0511, HIGH "\0\1x\0\0", 9);
}

/* Neither port is the third one. */
static int
dial_bad(void)
{
	return put(0x0511, HIGH "\0\1x\2\0", 9);
}

static int
dial_twice(void)
{
	int r = dial_other();

	return r == 0 ? dial_other() : r;
}

static const struct {
	const char *name;
	int (*act)(void);
} deeds[] = {
	{ "datagram",	datagram },
	{ "letter",	letter },
	{ "netlink",	netlink },
	{ "around",	around },
	{ "connectheld", connect_held },
	{ "bindheld",	bind_held },
	{ "dialother",	dial_other },
	{ "dialbad",	dial_bad },
	{ "dialtwice",	dial_twice },
	{ "unvouched",	unvouched },
	{ "held",	held },
	{ "held_write",	held_write },
	{ "held_up",	held_up },
	{ "path_then",	path_then },
	{ "readable_then", readable_then },
	{ "looked_then", looked_then },
	{ "unlisted",	unlisted },
	{ "malformed",	malformed },
	{ "oversized",	oversized },
	{ "nofd",	no_descriptor },
	{ "fd",		descriptor },
	{ "pong",	pong },
	{ "ready",	ready },
	{ "replay",	replay },
	{ "hash",	hash },
	{ "tty",	tty },
	{ "key",	key },
	{ "codes",	codes },
	{ "journal",	journal },
	{ "file",	new_file },
	{ "overkey",	over_key },
	{ "memory",	memory },
	{ "out",	out },
	{ "serve",	serve },
	{ "control",	control },
	{ "signal",	signal_parent },
	{ "signalall",	signal_all },
	{ "fork",	fork_one },
	{ "handler",	take_handler },
	{ "inject",	inject },
	{ "unknown",	unknown_call },
	{ "exec",	exec_one },
	{ "trace",	trace },
	{ "peek",	peek },
	{ "root",	become_root },
	{ "mount",	mount_one },
};

#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

/* The one look at a file that is left to everybody (sandbox_linux.c). */
static int
is_ordered(const char *deed)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "%s.%s", role, deed);
	return fstatat(orders, name, &st, AT_EMPTY_PATH) == 0;
}

static void
look(void)
{
	static int done[DEEDS], told[DEEDS];
	int r;

	if (orders == -1 || role[0] == '\0')
		return;
	/* Refused once confined. */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != -1 &&
	    getenv("OOBD_INTRUDER_ANYHOW") == NULL)
		return;
	for (size_t i = 0; i < DEEDS; i++) {
		/* What was taken back is done still, once. */
		if (done[i] || (told[i] == 0 && !is_ordered(deeds[i].name)))
			continue;
		told[i] = 1;
		r = deeds[i].act();
		if (r == -1)
			continue;
		done[i] = 1;
		dprintf(STDERR_FILENO, "intruder %s.%s: %s\n", role,
		    deeds[i].name, r == 0 ? "ok" : strerrorname_np(r));
	}
}

/* Out of the way of what the process opens. */
static void
hold_orders(void)
{
	const char *dir = getenv("OOBD_INTRUDER");
	int fd = dir == NULL ? -1 : open(dir, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);

	if (fd == -1)
		return;
	orders = fcntl(fd, F_DUPFD_CLOEXEC, ORDERS_FD);
	close(fd);
}

/* The word after -R. */
static void __attribute__((constructor))
find_role(void)
{
	char line[512];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, line, sizeof(line) - 1);
	int confined;

	if (fd != -1)
		close(fd);
	if (n <= 0)
		return;
	line[n] = '\0';
	confined = memmem(line, (size_t)n, "-B\0full", 7) != NULL;
	for (const char *p = line; p < line + n; p += strlen(p) + 1) {
		if (strcmp(p, "-R") == 0 && p + 3 < line + n) {
			snprintf(role, sizeof(role), "%s", p + 3);
			break;
		}
	}
	hold_orders();
	if (confined && strcmp(role, target("BROKEN")) == 0)
		_exit(1);
}

/* Who says RQ_HELLO speaks to the console process. */
ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);
	const unsigned char *b = m->msg_iovlen == 0 ? NULL :
	    m->msg_iov[0].iov_base;
	void *sym;

	if (real == NULL) {
		sym = dlsym(RTLD_NEXT, "sendmsg");
		memcpy(&real, &sym, sizeof(real));
	}
	if (b != NULL && m->msg_iov[0].iov_len >= HEAD && b[4] == 1 &&
	    b[5] == 1)
		console_fd = fd;
	return real(fd, m, flags);
}

/* As long as the real ones, but never long: a deed is done soon. */
int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
    const sigset_t *mask)
{
	struct timespec soon = { 0, SOON_NS };
	int saved = errno;

	look();
	errno = saved;
	if (ts != NULL && ts->tv_sec == 0 && ts->tv_nsec < SOON_NS)
		soon = *ts;
	return (int)syscall(SYS_ppoll, fds, n, &soon, mask, _NSIG / 8);
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
	const int soon = SOON_NS / 1000000;
	int saved = errno;

	look();
	errno = saved;
	return epoll_pwait(fd, events, max, ms < 0 || ms > soon ? soon : ms,
	    NULL);
}

/* What the readers and gates wait with; they count the time themselves. */
int
poll(struct pollfd *fds, nfds_t n, int ms)
{
	static int (*real)(struct pollfd *, nfds_t, int);
	int saved = errno;
	void *sym;

	if (real == NULL) {
		sym = dlsym(RTLD_NEXT, "poll");
		memcpy(&real, &sym, sizeof(real));
	}
	look();
	errno = saved;
	return real(fds, n, ms);
}

/* What the signer ends with: it waits for nothing. */
ssize_t
write(int fd, const void *p, size_t n)
{
	int saved = errno;

	if (strcmp(role, "signer") == 0)
		look();
	errno = saved;
	return syscall(SYS_write, fd, p, n);
}
