#include <sys/ioctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "speed.h"
#include "tty.h"

#define SPEED_TOLERANCE 3	/* percent a UART forgives */

static const tcflag_t data_flags[] = { CS5, CS6, CS7, CS8 };

/* What line settings mean in c_cflag and c_iflag; the rest of both is fixed. */
static const tcflag_t parity_flags[] = {
	[LINE_PARITY_NONE] = 0,
	[LINE_PARITY_ODD] = PARENB | PARODD,
	[LINE_PARITY_EVEN] = PARENB,
};

/* Whose device is it, and what would make it ours? */
static void
explain_denied(const char *path, const struct stat *st, char *err,
    size_t errsize)
{
	struct group *gr = getgrgid(st->st_gid);

	if (gr != NULL && st->st_gid != 0 &&
	    (st->st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP))
		snprintf(err, errsize, "%s: permission denied: add this user "
		    "to its group, %s", path, gr->gr_name);
	else
		snprintf(err, errsize, "%s: permission denied: it is owned by "
		    "uid %u with mode %03o; give it to a group of this user "
		    "by a udev or devfs rule", path, (unsigned)st->st_uid,
		    (unsigned)(st->st_mode & 0777));
}

static int
explain(const char *path, const struct stat *st, char *err, size_t errsize)
{
	int saved = errno;

	switch (saved) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		snprintf(err, errsize, "%s: no such device (it will be opened "
		    "when it appears)", path);
		break;
	case EBUSY:
		snprintf(err, errsize, "%s: another program has it", path);
		break;
	default:
		if (saved == EACCES && st != NULL)
			explain_denied(path, st, err, errsize);
		else
			snprintf(err, errsize, "%s: %s", path,
			    strerror(saved));
		break;
	}
	errno = saved;
	return -1;
}

int
tty_open(const char *path, char *err, size_t errsize)
{
	struct stat st;
	int fd;

	/* Look first: merely opening some devices has effects. */
	if (stat(path, &st) == -1)
		return explain(path, NULL, err, errsize);
	if (S_ISCHR(st.st_mode))
		fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	else {
		fd = -1;
		errno = ENOTTY;
	}
	if (fd != -1 && isatty(fd))
		return fd;
	if (fd != -1) {
		close(fd);
		errno = ENOTTY;
	}
	if (errno == ENOTTY) {
		snprintf(err, errsize, "%s: not a serial device", path);
		return -1;
	}
	return explain(path, &st, err, errsize);
}

bool
tty_has_lines(int fd)
{
	int bits;

	return ioctl(fd, TIOCMGET, &bits) == 0;
}

int
tty_assert(int fd, const struct line *line)
{
	int want = TIOCM_DTR, bits;

	if (line->flow != LINE_FLOW_RTSCTS)
		want |= TIOCM_RTS;
	if (ioctl(fd, TIOCMGET, &bits) == -1)
		return -1;
	if ((bits & want) == want)
		return 0;
	return ioctl(fd, TIOCMBIS, &want);
}

/*
 * The whole of the flags, nothing inherited: whatever a getty, a shell or
 * libserialport left behind is gone.  Only the speed bits stay; taking them
 * away, too, would be B0, which drops DTR.
 */
static void
compose(struct termios *t, bool uart, const struct line *line)
{
	t->c_iflag = uart ? PARMRK | INPCK : 0;
	if (line->flow == LINE_FLOW_XONXOFF)
		t->c_iflag |= IXON | IXOFF;
	t->c_oflag = 0;
	t->c_lflag = 0;
	t->c_cflag = speed_bits(t->c_cflag) | CREAD | CLOCAL |
	    data_flags[line->data_bits - 5] | parity_flags[line->parity];
	if (line->stop_bits == 2)
		t->c_cflag |= CSTOPB;
	if (line->flow == LINE_FLOW_RTSCTS)
		t->c_cflag |= CRTSCTS;
	/* A read of 0 bytes then means hang-up, never just "nothing yet". */
	t->c_cc[VMIN] = 1;
	t->c_cc[VTIME] = 0;
	t->c_cc[VSTART] = 0x11;
	t->c_cc[VSTOP] = 0x13;
}

static bool
same_flags(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	    a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag &&
	    a->c_cc[VMIN] == b->c_cc[VMIN] &&
	    a->c_cc[VTIME] == b->c_cc[VTIME] &&
	    a->c_cc[VSTART] == b->c_cc[VSTART] &&
	    a->c_cc[VSTOP] == b->c_cc[VSTOP];
}

static bool
valid(const struct line *line)
{
	return line->speed > 0 && line->data_bits >= 5 &&
	    line->data_bits <= 8 && line->stop_bits >= 1 &&
	    line->stop_bits <= 2;
}

/*
 * glibc fails a request of which the driver took everything but the mode (any
 * pty).  That is for tty_check to report; the line is usable.
 */
static int
set_flags(int fd, const struct termios *want)
{
	struct termios is, but_mode = *want;
	const tcflag_t mode = CSIZE | PARENB | PARODD;

	if (tcsetattr(fd, TCSANOW, want) == 0)
		return 0;
	if (errno != EINVAL || tcgetattr(fd, &is) == -1)
		return -1;
	but_mode.c_cflag = (want->c_cflag & ~mode) | (is.c_cflag & mode);
	if (same_flags(&is, &but_mode))
		return 0;
	errno = EINVAL;
	return -1;
}

int
tty_apply(int fd, bool uart, const struct line *line)
{
	struct termios now, want;
	uint32_t speed;

	if (!valid(line)) {
		errno = EINVAL;
		return -1;
	}
	if (tcgetattr(fd, &now) == -1)
		return -1;
	want = now;
	compose(&want, uart, line);
	/* Some drivers disturb the line even when nothing changes. */
	if (!same_flags(&now, &want) && set_flags(fd, &want) == -1)
		return -1;
	if (speed_get(fd, &speed) == 0 && speed == line->speed)
		return 0;
	return speed_set(fd, line->speed);
}

static bool
speed_is_near(uint32_t is, uint32_t want)
{
	uint64_t a = (uint64_t)is * 100, b = (uint64_t)want * 100;

	return a >= b - (uint64_t)want * SPEED_TOLERANCE &&
	    a <= b + (uint64_t)want * SPEED_TOLERANCE;
}

int
tty_check(int fd, bool uart, const struct line *line, char *err,
    size_t errsize)
{
	struct termios is, want;
	const char *what = NULL;
	uint32_t speed;

	if (tcgetattr(fd, &is) == -1 || speed_get(fd, &speed) == -1) {
		snprintf(err, errsize, "cannot read the line's settings: %s",
		    strerror(errno));
		return 1;
	}
	want = is;
	compose(&want, uart, line);
	/* A pty has no bits and no parity; what it says of them is nothing. */
	if (!uart)
		is.c_cflag = want.c_cflag;
	if ((is.c_cflag ^ want.c_cflag) & (CSIZE | PARENB | PARODD | CSTOPB))
		what = "mode";
	else if (((is.c_cflag ^ want.c_cflag) & CRTSCTS) ||
	    ((is.c_iflag ^ want.c_iflag) & (IXON | IXOFF)))
		what = "flow control setting";
	else if (is.c_cflag & HUPCL)
		what = "setting that keeps DTR up on close";
	else if ((is.c_iflag ^ want.c_iflag) & (PARMRK | INPCK))
		what = "setting that marks errors";
	if (what != NULL) {
		snprintf(err, errsize, "the driver did not take the %s", what);
		return 1;
	}
	if (!speed_is_near(speed, line->speed)) {
		snprintf(err, errsize, "the driver runs the line at %u bit/s "
		    "instead of %u", speed, line->speed);
		return 1;
	}
	return 0;
}
