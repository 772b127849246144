#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../server/base/aside.h"
#include "lock.h"
#include "port.h"
#include "tty.h"
#include "uart.h"
#include "usb.h"

/* Where device is now, links resolved.  0, or -1 with errno and err. */
static int
resolve(const char *device, char *path, size_t size, char *err,
    size_t errsize)
{
	char found[PORT_PATH], real[PATH_MAX];
	struct usb_id id;
	int saved;

	if (usb_is_spec(device)) {
		if (usb_parse(&id, device) == -1) {
			snprintf(err, errsize, "%s: not usb:VID:PID[:SERIAL]"
			    "[:IF] with hexadecimal VID, PID and IF", device);
			errno = EINVAL;
			return -1;
		}
		if (usb_find("", &id, found, sizeof(found), err,
		    errsize) == -1)
			return -1;
		device = found;
	}
	if (realpath(device, real) == NULL) {
		saved = errno;
		snprintf(err, errsize, "%s: %s", device, saved == ENOENT ?
		    "no such device (it will be opened when it appears)" :
		    strerror(saved));
		errno = saved;
		return -1;
	}
	if (strlen(real) >= size) {
		snprintf(err, errsize, "%s: path too long", device);
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, real, strlen(real) + 1);
	return 0;
}

bool
port_present(const char *device)
{
	char path[PORT_PATH], err[PORT_ERROR];
	struct stat st;

	return resolve(device, path, sizeof(path), err, sizeof(err)) == 0 &&
	    stat(path, &st) == 0;
}

static int
tell_held(const char *path, const struct lock_holder *holder, char *err,
    size_t errsize)
{
	if (holder->pid == 0)
		snprintf(err, errsize, "%s: in use by another program (of "
		    "another user: look with fuser)", path);
	else
		snprintf(err, errsize, "%s: in use by pid %ld%s%s%s; end it, "
		    "or give this console another device", path,
		    (long)holder->pid, holder->name[0] == '\0' ? "" : " (",
		    holder->name, holder->name[0] == '\0' ? "" : ")");
	errno = EBUSY;
	return -1;
}

/* The lock that lives on the descriptor.  0, or -1 with err. */
static int
lock_fd(int fd, const char *path, char *err, size_t errsize)
{
	struct lock_holder holder;

	/* EOPNOTSUPP and the like: a system without, TIOCEXCL has to do. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	lock_find(path, &holder);
	return tell_held(path, &holder, err, errsize);
}

static int
open_locked(const char *path, char *err, size_t errsize)
{
	struct lock_holder holder;
	int fd;

	fd = tty_open(path, err, errsize);
	if (fd == -1) {
		if (errno == EBUSY) {
			lock_find(path, &holder);
			tell_held(path, &holder, err, errsize);
		}
		return -1;
	}
	/* Before anything is set: it may be somebody else's line. */
	if (lock_fd(fd, path, err, errsize) == -1) {
		close(fd);
		errno = EBUSY;
		return -1;
	}
	return fd;
}

static bool
is_pty(const char *path)
{
	return strncmp(path, "/dev/pts/", 9) == 0;
}

/* Raw, all flags, DTR and RTS up.  0, or -1 with err. */
static int
set_line(struct port_opened *out, int fd, const struct line *line, char *err,
    size_t errsize)
{
	bool uart = out->kind == PORT_UART;

	if (tty_apply(fd, uart, line) == -1) {
		snprintf(err, errsize, "%s: cannot set the line: %s",
		    out->path, strerror(errno));
		return -1;
	}
	/* Most cables do without: no reason to give up the line. */
	if (uart && tty_assert(fd, line) == -1)
		snprintf(out->warning, sizeof(out->warning), "cannot raise DTR "
		    "and RTS: %s", strerror(errno));
	return 0;
}

/* Exchange a prepared descriptor for libserialport's, or keep it. */
static int
take_uart(struct port_opened *out, const struct line *line, char *err,
    size_t errsize)
{
	int fd;

	/* libserialport may lock for itself; ours would keep it out. */
	flock(out->fd, LOCK_UN);
	fd = uart_open(out->path, out->fd, out->warning, sizeof(out->warning));
	/* At once, whoever it is: HUPCL may be on now. */
	if (set_line(out, out->fd, line, err, errsize) == -1 ||
	    lock_fd(fd == -1 ? out->fd : fd, out->path, err, errsize) == -1) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (fd != -1) {
		close(out->fd);	/* not the last one: the line feels nothing */
		out->fd = fd;
	}
	return 0;
}

/* Everything between the open and the hand-over. */
static int
prepare(struct port_opened *out, const struct line *line, char *err,
    size_t errsize)
{
	out->kind = tty_has_lines(out->fd) && !is_pty(out->path) ? PORT_UART :
	    PORT_TTY;
	/*
	 * Raw at once: until then whatever the device prints is echoed back
	 * into it.
	 */
	if (set_line(out, out->fd, line, err, errsize) == -1)
		return -1;
	if (out->kind == PORT_UART && uart_knows(out->path) &&
	    take_uart(out, line, err, errsize) == -1)
		return -1;
	/*
	 * A pty's slave keeps this flag as long as its master is open, that is
	 * beyond our end: nobody could open it again.
	 */
	if (!is_pty(out->path))
		ioctl(out->fd, TIOCEXCL);
	if (out->warning[0] == '\0')
		port_check(out->fd, out->kind, line, out->warning,
		    sizeof(out->warning));
	return 0;
}

int
port_open(const char *device, const struct line *line,
    struct port_opened *out, char *err, size_t errsize)
{
	struct lock_holder holder;
	pid_t owner = getppid();
	struct usb_id id;
	int saved;

	memset(out, 0, sizeof(*out));
	out->fd = -1;
	if (resolve(device, out->path, sizeof(out->path), err, errsize) == -1)
		return -1;
	if (usb_describe("", out->path, &id) == 0)
		usb_text(out->usb, &id);
	if (lock_claim(out->path, owner, &holder, out->warning,
	    sizeof(out->warning)) == -1)
		return tell_held(out->path, &holder, err, errsize);
	out->fd = open_locked(out->path, err, errsize);
	if (out->fd == -1) {
		saved = errno;
		lock_release(out->path, owner);
		errno = saved;
		return -1;
	}
	if (prepare(out, line, err, errsize) == -1) {
		saved = errno;
		port_close(out->fd);
		out->fd = -1;
		lock_release(out->path, owner);
		errno = saved;
		return -1;
	}
	return 0;
}

int
port_apply(int fd, enum port_kind kind, const struct line *line)
{
	char err[PORT_ERROR];

	if (tty_apply(fd, kind == PORT_UART, line) == -1)
		return -1;
	return port_check(fd, kind, line, err, sizeof(err));
}

int
port_check(int fd, enum port_kind kind, const struct line *line, char *err,
    size_t errsize)
{
	return tty_check(fd, kind == PORT_UART, line, err, errsize);
}

int
port_break(int fd, bool on)
{
	/* Linux takes a BREAK on a pty without a word. */
	if (!tty_has_lines(fd))
		return -1;
	return ioctl(fd, on ? TIOCSBRK : TIOCCBRK);
}

void
port_close(int fd)
{
	aside_close(fd);
}

void
port_unlock(const char *path)
{
	lock_release(path, getpid());
}

const char *
port_kind_text(enum port_kind kind)
{
	switch (kind) {
	case PORT_UART:
		return "uart";
	case PORT_TTY:
		return "tty";
	}
	return "unknown";
}
