/*
 * shim: makes a pty look like a serial port, and writes down what was done to
 * it.  Loaded with LD_PRELOAD (Linux, glibc); build/tests/shim.so.
 *
 * libserialport refuses a pty, a pty has no modem lines and no BREAK; with
 * this in front of libc, "/dev/ttyTEST0" is a port that has all of them.
 *
 *	OOBD_SHIM	a folder of symbolic links, ttyTEST0 -> /dev/pts/5;
 *			removing a link unplugs the port, making it again
 *			plugs it in (watching /dev then watches this folder).
 *			Or a list: "ttyTEST0=/dev/pts/5,ttyTEST1=/dev/pts/6".
 *	OOBD_SHIM_TRACE	file that every call is appended to, and prefix of
 *			the files that hold the state of the modem lines.
 *	OOBD_SHIM_COUNTERS
 *			file with lines "ttyTEST0 FRAME OVERRUN PARITY BRK
 *			BUF_OVERRUN", answers to TIOCGICOUNT; missing: zeros.
 *	OOBD_SHIM_INJECT
 *			while this file exists (write it elsewhere and rename
 *			it), the next read from a port gives its bytes and
 *			removes it: the way to make a tty with PARMRK see a
 *			BREAK (FF 00 00) or a broken byte (FF 00 x).  The
 *			reader must be woken: write a byte to the master too.
 *	OOBD_SHIM_BLIND	if set, TIOCMGET hides DTR and RTS, as some drivers do
 *
 * All processes of a test must have the same environment.  A program built
 * with ASan needs ASAN_OPTIONS=verify_asan_link_order=0.
 *
 * A port stays a pty: parity and bit times are only remembered.  HUPCL and
 * speed are the pty's own: tcgetattr on the master shows them.
 *
 * The trace has a line per call: "PID MS CALL PORT DETAIL", MS on the
 * monotonic clock.  Calls: open close read-injected tcsetattr TCSETS2 TIOCMGET
 * TIOCMBIS TIOCMBIC TIOCMSET TIOCSBRK TIOCCBRK tcsendbreak TIOCGICOUNT
 * TIOCGSERIAL TIOCEXCL TIOCNXCL.  What a test looks for:
 *	DROP PORT DTR|RTS	a modem line fell
 *	RAISE PORT DTR|RTS	one rose (an open raises both)
 *	TIOCSBRK, tcsendbreak	a BREAK
 *	close PORT hupcl=1	had it been the last close, DTR would have
 *				fallen (a process that is killed leaves none)
 */
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <asm/ioctls.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/serial.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define DEV "/dev/"
#define SYS "/sys/class/tty/"
#define SYS_TARGET "../../devices/platform/shim/tty/"
#define NAME_MAX_LEN 31
#define OUTPUTS (TIOCM_DTR | TIOCM_RTS)
#define INPUTS (TIOCM_CTS | TIOCM_DSR | TIOCM_CD)
#define KEPT_CFLAGS ((unsigned)(CSIZE | PARENB))

/* The kernel's, whose header cannot stand beside <termios.h>. */
struct termios2 {
	uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
	uint8_t c_line, c_cc[19];
	uint32_t c_ispeed, c_ospeed;
};

/* What libc would do: fetch the next definition of a function, once. */
#define REAL(type, name, ...)						\
	static type (*real)(__VA_ARGS__);				\
	if (real == NULL) {						\
		void *sym_ = dlsym(RTLD_NEXT, name);			\
		memcpy(&real, &sym_, sizeof(real));			\
	}

/* Older and fortified entrances of libc. */
int __open_2(const char *, int);
int __xstat(int, const char *, struct stat *);
int __lxstat(int, const char *, struct stat *);
ssize_t __readlink_chk(const char *, char *, size_t, size_t);
char *__realpath_chk(const char *, char *, size_t);
ssize_t __read_chk(int, void *, size_t, size_t);

struct state {
	int lines;
	unsigned cflags;	/* of KEPT_CFLAGS */
	bool has_cflags;
};

static int
real_open(const char *path, int flags, mode_t mode)
{
	REAL(int, "open", const char *, int, ...)
	return real(path, flags, mode);
}

static int
real_close(int fd)
{
	REAL(int, "close", int)
	return real(fd);
}

static ssize_t
real_read(int fd, void *p, size_t n)
{
	REAL(ssize_t, "read", int, void *, size_t)
	return real(fd, p, n);
}

static int
real_ioctl(int fd, unsigned long request, void *arg)
{
	REAL(int, "ioctl", int, unsigned long, ...)
	return real(fd, request, arg);
}

static int
real_stat(const char *path, struct stat *st)
{
	REAL(int, "stat", const char *, struct stat *)
	return real(path, st);
}

static int
real_tcgetattr(int fd, struct termios *t)
{
	REAL(int, "tcgetattr", int, struct termios *)
	return real(fd, t);
}

/* "ttyTEST0" of "/dev/ttyTEST0"; NULL: not one of ours. */
static const char *
name_in(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(path, prefix, n) != 0 ||
	    strncmp(path + n, "ttyTEST", 7) != 0 ||
	    strchr(path + n, '/') != NULL || strlen(path + n) > NAME_MAX_LEN)
		return NULL;
	return path + n;
}

/* The pty behind a name.  0, or -1 with ENOENT: unplugged. */
static int
target(const char *name, char dst[PATH_MAX])
{
	const char *map = getenv("OOBD_SHIM"), *p;
	size_t n = strlen(name);
	struct stat st;

	errno = ENOENT;
	if (map == NULL)
		return -1;
	if (strchr(map, '=') == NULL) {
		snprintf(dst, PATH_MAX, "%s/%s", map, name);
		return real_stat(dst, &st);
	}
	for (p = map; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, name, n) != 0 || p[n] != '=')
			continue;
		snprintf(dst, PATH_MAX, "%.*s",
		    (int)strcspn(p + n + 1, ","), p + n + 1);
		return real_stat(dst, &st);
	}
	errno = ENOENT;
	return -1;
}

static bool
is_target(const char *name, dev_t rdev)
{
	char path[PATH_MAX];
	struct stat st;

	return target(name, path) == 0 && real_stat(path, &st) == 0 &&
	    st.st_rdev == rdev;
}

static bool
name_in_folder(const char *map, dev_t rdev, char name[NAME_MAX_LEN + 1])
{
	struct dirent *entry;
	bool found = false;
	DIR *d = opendir(map);

	while (d != NULL && !found && (entry = readdir(d)) != NULL) {
		if (strlen(entry->d_name) > NAME_MAX_LEN ||
		    strncmp(entry->d_name, "ttyTEST", 7) != 0)
			continue;
		found = is_target(entry->d_name, rdev);
		snprintf(name, NAME_MAX_LEN + 1, "%.31s", entry->d_name);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static bool
name_in_list(const char *map, dev_t rdev, char name[NAME_MAX_LEN + 1])
{
	const char *p;

	for (p = map; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		snprintf(name, NAME_MAX_LEN + 1, "%.*s",
		    (int)strcspn(p, "="), p);
		if (is_target(name, rdev))
			return true;
	}
	return false;
}

/*
 * Which port is behind a descriptor?  Told by the device, not by who opened
 * it: descriptors are passed between processes.
 */
static bool
port_of(int fd, char name[NAME_MAX_LEN + 1])
{
	const char *map = getenv("OOBD_SHIM");
	int saved = errno;
	struct stat st;
	bool found;

	found = map != NULL && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    (strchr(map, '=') == NULL ? name_in_folder(map, st.st_rdev, name) :
	    name_in_list(map, st.st_rdev, name));
	errno = saved;
	return found;
}

static void __attribute__((format(printf, 3, 4)))
trace(const char *call, const char *name, const char *fmt, ...)
{
	const char *path = getenv("OOBD_SHIM_TRACE");
	int saved = errno, fd, n;
	struct timespec ts;
	char line[256];
	va_list ap;

	if (path == NULL)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	n = snprintf(line, sizeof(line), "%d %lld %s %s ", (int)getpid(),
	    (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000, call, name);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	fd = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd != -1) {
		if (write(fd, line, (size_t)n) != n)
			abort();
		real_close(fd);
	}
	errno = saved;
}

static const char *
lines_text(int lines, char dst[40])
{
	static const struct {
		int bit;
		const char *name;
	} all[] = {
		{ TIOCM_DTR, "DTR" }, { TIOCM_RTS, "RTS" },
		{ TIOCM_CTS, "CTS" }, { TIOCM_DSR, "DSR" },
		{ TIOCM_CD, "CD" },
	};
	size_t i;

	dst[0] = '\0';
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if ((lines & all[i].bit) == 0)
			continue;
		if (dst[0] != '\0')
			strcat(dst, "|");
		strcat(dst, all[i].name);
	}
	return dst[0] == '\0' ? "-" : dst;
}

static int
state_fd(const char *name)
{
	const char *path = getenv("OOBD_SHIM_TRACE");
	char file[PATH_MAX];

	if (path == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s.%s", path, name);
	return real_open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
}

static void
state_get(const char *name, struct state *s)
{
	int saved = errno, fd = state_fd(name);

	memset(s, 0, sizeof(*s));
	if (fd != -1) {
		if (pread(fd, s, sizeof(*s), 0) != sizeof(*s))
			memset(s, 0, sizeof(*s));
		real_close(fd);
	}
	errno = saved;
}

static void
state_put(const char *name, const struct state *s)
{
	int saved = errno, fd = state_fd(name);

	if (fd != -1) {
		if (pwrite(fd, s, sizeof(*s), 0) != sizeof(*s))
			abort();
		real_close(fd);
	}
	errno = saved;
}

static void
set_lines(const char *name, int lines)
{
	struct state s;
	char text[40];
	int fell, rose;

	state_get(name, &s);
	fell = s.lines & ~lines;
	rose = lines & ~s.lines;
	s.lines = lines;
	state_put(name, &s);
	if (fell != 0)
		trace("DROP", name, "%s", lines_text(fell, text));
	if (rose != 0)
		trace("RAISE", name, "%s", lines_text(rose, text));
}

static int
lines_of(const char *name)
{
	struct state s;

	state_get(name, &s);
	return s.lines;
}

/* Opening and closing. */

static int
shim_open(const char *path, int flags, mode_t mode)
{
	const char *name = name_in(path, DEV);
	char real[PATH_MAX];
	int fd;

	if (name == NULL)
		return real_open(path, flags, mode);
	if (target(name, real) == -1)
		return -1;
	fd = real_open(real, flags, mode);
	if (fd == -1) {
		trace("open", name, "failed errno=%d", errno);
		return -1;
	}
	trace("open", name, "fd=%d", fd);
	set_lines(name, OUTPUTS);	/* as the kernel does */
	return fd;
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return shim_open(path, flags, mode);
}

int
__open_2(const char *path, int flags)
{
	return shim_open(path, flags, 0);
}

int
close(int fd)
{
	char name[NAME_MAX_LEN + 1];
	struct termios t;
	int saved = errno;

	if (port_of(fd, name) && real_tcgetattr(fd, &t) == 0)
		trace("close", name, "hupcl=%d", (t.c_cflag & HUPCL) != 0);
	errno = saved;
	return real_close(fd);
}

/* Looking. */

static int
shim_stat(const char *path, struct stat *st)
{
	const char *name = name_in(path, DEV);
	char real[PATH_MAX];

	if (name != NULL) {
		if (target(name, real) == -1)
			return -1;
		return real_stat(real, st);
	}
	name = name_in(path, SYS);
	if (name == NULL)
		return real_stat(path, st);
	if (target(name, real) == -1)
		return -1;
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFDIR | 0755;
	return 0;
}

static int
shim_lstat(const char *path, struct stat *st)
{
	REAL(int, "lstat", const char *, struct stat *)

	if (name_in(path, DEV) == NULL && name_in(path, SYS) == NULL)
		return real(path, st);
	if (shim_stat(path, st) == -1)
		return -1;
	if (name_in(path, SYS) != NULL)
		st->st_mode = S_IFLNK | 0777;
	return 0;
}

int
stat(const char *path, struct stat *st)
{
	return shim_stat(path, st);
}

int
lstat(const char *path, struct stat *st)
{
	return shim_lstat(path, st);
}

int
__xstat(int version, const char *path, struct stat *st)
{
	(void)version;
	return shim_stat(path, st);
}

int
__lxstat(int version, const char *path, struct stat *st)
{
	(void)version;
	return shim_lstat(path, st);
}

int
access(const char *path, int mode)
{
	REAL(int, "access", const char *, int)
	const char *name = name_in(path, DEV);
	char buf[PATH_MAX];

	if (name == NULL && (name = name_in(path, SYS)) == NULL)
		return real(path, mode);
	if (target(name, buf) == -1)
		return -1;
	return name_in(path, DEV) == NULL ? 0 : real(buf, mode);
}

static ssize_t
shim_readlink(const char *path, char *dst, size_t size)
{
	REAL(ssize_t, "readlink", const char *, char *, size_t)
	const char *name = name_in(path, SYS);
	char buf[PATH_MAX];
	size_t n;

	if (name == NULL)	/* one in /dev is not there: no link either */
		return real(path, dst, size);
	if (target(name, buf) == -1)
		return -1;
	n = (size_t)snprintf(buf, sizeof(buf), SYS_TARGET "%s", name);
	if (n > size)
		n = size;
	memcpy(dst, buf, n);
	return (ssize_t)n;
}

ssize_t
readlink(const char *path, char *dst, size_t size)
{
	return shim_readlink(path, dst, size);
}

ssize_t
__readlink_chk(const char *path, char *dst, size_t size, size_t dstsize)
{
	if (size > dstsize)
		abort();
	return shim_readlink(path, dst, size);
}

static char *
shim_realpath(const char *path, char *dst)
{
	REAL(char *, "realpath", const char *, char *)
	const char *name = name_in(path, DEV);
	char buf[PATH_MAX];

	if (name == NULL || target(name, buf) == -1)
		return name == NULL ? real(path, dst) : NULL;
	return dst == NULL ? strdup(path) : strcpy(dst, path);
}

char *
realpath(const char *path, char *dst)
{
	return shim_realpath(path, dst);
}

char *
__realpath_chk(const char *path, char *dst, size_t dstsize)
{
	(void)dstsize;
	return shim_realpath(path, dst);
}

int
inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	REAL(int, "inotify_add_watch", int, const char *, uint32_t)
	const char *map = getenv("OOBD_SHIM");

	if (map != NULL && strchr(map, '=') == NULL &&
	    strcmp(path, "/dev") == 0)
		path = map;
	return real(fd, path, mask);
}

/* Reading. */

/* The injected bytes; -1: there are none. */
static ssize_t
injected(int fd, void *dst, size_t size)
{
	const char *path = getenv("OOBD_SHIM_INJECT");
	char name[NAME_MAX_LEN + 1];
	int saved = errno, from;
	ssize_t n = -1;

	if (path == NULL || !port_of(fd, name))
		return -1;
	from = real_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (from != -1) {
		n = real_read(from, dst, size);
		real_close(from);
		unlink(path);
		trace("read-injected", name, "bytes=%zd", n);
	}
	errno = saved;
	return n > 0 ? n : -1;
}

ssize_t
read(int fd, void *dst, size_t size)
{
	ssize_t n = injected(fd, dst, size);

	return n != -1 ? n : real_read(fd, dst, size);
}

ssize_t
__read_chk(int fd, void *dst, size_t size, size_t dstsize)
{
	if (size > dstsize)
		abort();
	return read(fd, dst, size);
}

static void
note_settings(const char *call, const char *name, unsigned cflag,
    unsigned speed)
{
	struct state s;

	/* tcsetattr has no number: 1 stands for any speed but B0. */
	trace(call, name, "hupcl=%d speed=%u mode=%u%c%d", !!(cflag & HUPCL),
	    speed, 5 + (cflag & CSIZE) / CS6, (cflag & PARENB) == 0 ? 'N' :
	    (cflag & PARODD) != 0 ? 'O' : 'E', (cflag & CSTOPB) ? 2 : 1);
	state_get(name, &s);
	s.cflags = cflag & KEPT_CFLAGS;
	s.has_cflags = true;
	state_put(name, &s);
	if (speed == 0)
		set_lines(name, 0);	/* B0 hangs up */
}

static void
recall_cflag(const char *name, unsigned *cflag)
{
	struct state s;

	state_get(name, &s);
	if (s.has_cflags)
		*cflag = (*cflag & ~KEPT_CFLAGS) | s.cflags;
}

int
tcgetattr(int fd, struct termios *t)
{
	char name[NAME_MAX_LEN + 1];

	if (real_tcgetattr(fd, t) == -1)
		return -1;
	if (port_of(fd, name))
		recall_cflag(name, &t->c_cflag);
	return 0;
}

int
tcsetattr(int fd, int when, const struct termios *t)
{
	REAL(int, "tcsetattr", int, int, const struct termios *)
	char name[NAME_MAX_LEN + 1];
	struct termios pty = *t;

	if (!port_of(fd, name))
		return real(fd, when, t);
	/* glibc refuses what a pty does not take. */
	pty.c_cflag &= ~KEPT_CFLAGS;
	pty.c_cflag |= CS8;
	if (real(fd, when, &pty) == -1)
		return -1;
	note_settings("tcsetattr", name, t->c_cflag,
	    (t->c_cflag & (CBAUD | CBAUDEX)) == B0 ? 0 : 1);
	return 0;
}

int
tcsendbreak(int fd, int duration)
{
	REAL(int, "tcsendbreak", int, int)
	char name[NAME_MAX_LEN + 1];

	if (!port_of(fd, name))
		return real(fd, duration);
	trace("tcsendbreak", name, "duration=%d", duration);
	return 0;
}

static int
get_counters(const char *name, struct serial_icounter_struct *c)
{
	const char *path = getenv("OOBD_SHIM_COUNTERS");
	char word[NAME_MAX_LEN + 1];
	FILE *f;
	int n[5];

	memset(c, 0, sizeof(*c));
	f = path == NULL ? NULL : fopen(path, "re");
	while (f != NULL && fscanf(f, "%31s %d %d %d %d %d", word, &n[0],
	    &n[1], &n[2], &n[3], &n[4]) == 6) {
		if (strcmp(word, name) != 0)
			continue;
		c->frame = n[0];
		c->overrun = n[1];
		c->parity = n[2];
		c->brk = n[3];
		c->buf_overrun = n[4];
	}
	if (f != NULL)
		fclose(f);
	trace("TIOCGICOUNT", name, "brk=%d", c->brk);
	return 0;
}

static int
get_lines(const char *name, int *out)
{
	char text[40];

	*out = lines_of(name) | INPUTS;
	if (getenv("OOBD_SHIM_BLIND") != NULL)
		*out &= ~OUTPUTS;
	trace("TIOCMGET", name, "%s", lines_text(*out, text));
	return 0;
}

static int
change_lines(const char *name, unsigned long request, int arg)
{
	int now = lines_of(name), lines = arg;
	const char *call = "TIOCMSET";
	char text[40];

	if (request == TIOCMBIS) {
		call = "TIOCMBIS";
		lines = now | arg;
	} else if (request == TIOCMBIC) {
		call = "TIOCMBIC";
		lines = now & ~arg;
	}
	trace(call, name, "%s", lines_text(arg & OUTPUTS, text));
	set_lines(name, lines & OUTPUTS);
	return 0;
}

static int
port_ioctl(int fd, const char *name, unsigned long request, void *arg)
{
	struct termios2 *t = arg;
	int ret;

	switch (request) {
	case TIOCMGET:
		return get_lines(name, arg);
	case TIOCMBIS:
	case TIOCMBIC:
	case TIOCMSET:
		return change_lines(name, request, *(int *)arg);
	case TIOCGICOUNT:
		return get_counters(name, arg);
	case TIOCGSERIAL:
		memset(arg, 0, sizeof(struct serial_struct));
		((struct serial_struct *)arg)->type = PORT_16550A;
		trace("TIOCGSERIAL", name, "%s", "");
		return 0;
	case TIOCSBRK:
	case TIOCCBRK:
		trace(request == TIOCSBRK ? "TIOCSBRK" : "TIOCCBRK", name,
		    "%s", "");
		return 0;
	case TCSBRK:
	case TCSBRKP:
		if (request == TCSBRK && arg != NULL)
			break;		/* that is tcdrain */
		trace("tcsendbreak", name, "%s", "");
		return 0;
	case TIOCEXCL:
	case TIOCNXCL:
		/* A pty would keep it for ever, a port until its last close. */
		trace(request == TIOCEXCL ? "TIOCEXCL" : "TIOCNXCL", name,
		    "%s", "");
		return 0;
	case TCGETS2:
		ret = real_ioctl(fd, request, arg);
		if (ret == 0)
			recall_cflag(name, &t->c_cflag);
		return ret;
	case TCSETS2:
		ret = real_ioctl(fd, request, arg);
		if (ret == 0)
			note_settings("TCSETS2", name, t->c_cflag,
			    t->c_ospeed);
		return ret;
	}
	return real_ioctl(fd, request, arg);
}

int
ioctl(int fd, unsigned long request, ...)
{
	char name[NAME_MAX_LEN + 1];
	va_list ap;
	void *arg;
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!port_of(fd, name))
		return real_ioctl(fd, request, arg);
	return port_ioctl(fd, name, request, arg);
}
