#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../server/base/aside.h"
#include "../server/base/buf.h"
#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "at_port.h"

#define READ_MAX 4096
#define SLOW_TURN 64		/* bytes of a slow port per turn of the loop */

struct at_port {
	int fd;			/* -1: closed or released */
	struct loop *loop;
	struct watch *watch;
	struct buf *out;
	const struct at_port_ops *ops;
	void *arg;
	bool slow;
	bool dead;		/* freed while inside of a callback */
	unsigned depth;
};

int
at_port_raw(int fd)
{
	struct termios t;

	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &t) == -1)
		return -1;
	t.c_iflag = 0;
	t.c_oflag = 0;
	t.c_lflag = 0;
	t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB | HUPCL |
	    CRTSCTS);
	t.c_cflag |= CS8 | CREAD | CLOCAL;
	/* A read of 0 bytes then means hang-up. */
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	return tcsetattr(fd, TCSANOW, &t);
}

static void
close_fd(struct at_port *p)
{
	int fd = p->fd;

	if (fd == -1)
		return;
	p->fd = -1;
	watch_free(p->watch);
	p->watch = NULL;
	buf_clear(p->out);
	/* Nothing waits for a peer that stopped us. */
	if (isatty(fd))
		tcflush(fd, TCIOFLUSH);
	aside_close(fd);
}

static void
lost(struct at_port *p, const char *why)
{
	close_fd(p);
	p->ops->gone(p->arg, why);
}

static void
destroy(struct at_port *p)
{
	buf_free(p->out);
	free(p);
}

static void
update_watch(struct at_port *p)
{
	if (p->fd != -1)
		watch_set(p->watch, buf_len(p->out) > 0 ? POLLIN | POLLOUT :
		    POLLIN);
}

/* Write what goes.  0, or -1 with errno when the port is gone. */
static int
flush(struct at_port *p)
{
	ssize_t n;

	while (buf_len(p->out) > 0) {
		n = write(p->fd, buf_data(p->out), buf_len(p->out));
		if (n > 0)
			buf_drop(p->out, (size_t)n);
		else if (n == -1 && errno == EINTR)
			continue;
		else if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else
			return -1;
	}
	update_watch(p);
	return 0;
}

/* One read.  1: there may be more, 0: enough for now. */
static int
take(struct at_port *p, short revents)
{
	uint8_t bytes[READ_MAX];
	size_t want = p->slow ? 1 : sizeof(bytes);
	ssize_t n;

	n = read(p->fd, bytes, want);
	if (n > 0) {
		p->ops->input(p->arg, bytes, (size_t)n);
		return p->slow;
	}
	if (n == 0) {
		lost(p, "hung up");
	} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
		if (revents & (POLLHUP | POLLERR | POLLNVAL))
			lost(p, "hung up");
	} else if (errno != EINTR)
		lost(p, strerror(errno));
	return 0;
}

static void
on_ready(void *arg, short revents)
{
	struct at_port *p = arg;

	p->depth++;
	if ((revents & POLLOUT) && flush(p) == -1)
		lost(p, strerror(errno));
	if (revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
		for (unsigned i = 0; i < SLOW_TURN && p->fd != -1; i++)
			if (take(p, revents) == 0)
				break;
	if (--p->depth == 0 && p->dead)
		destroy(p);
}

struct at_port *
at_port_new(struct loop *loop, int fd, const struct at_port_ops *ops,
    void *arg)
{
	struct at_port *p = xcalloc(1, sizeof(*p));

	p->fd = fd;
	p->loop = loop;
	p->ops = ops;
	p->arg = arg;
	p->out = buf_new(AT_PORT_OUT_MAX);
	if (fd_prepare(fd) == -1 || at_port_raw(fd) == -1)
		log_errno("modem: cannot set up the port");
	p->watch = watch_new(loop, fd, POLLIN, on_ready, p);
	return p;
}

void
at_port_free(struct at_port *p)
{
	if (p == NULL)
		return;
	close_fd(p);
	p->dead = true;
	if (p->depth == 0)
		destroy(p);
}

int
at_port_release(struct at_port *p)
{
	int fd = p->fd;

	watch_free(p->watch);
	p->watch = NULL;
	p->fd = -1;
	at_port_free(p);
	return fd;
}

int
at_port_write(struct at_port *p, const void *bytes, size_t n)
{
	if (p->fd == -1 || buf_add(p->out, bytes, n) == -1)
		return -1;
	/* An error here shows again in the loop, where it can be told. */
	if (flush(p) == -1)
		update_watch(p);
	return 0;
}

void
at_port_slow(struct at_port *p, bool slow)
{
	p->slow = slow;
}

int
at_port_fd(const struct at_port *p)
{
	return p->fd;
}
