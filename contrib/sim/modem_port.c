#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../server/base/buf.h"
#include "../../server/base/fileio.h"
#include "../../server/base/log.h"
#include "../../server/base/mem.h"
#include "modem_port.h"
#include "sock.h"
#include "wire.h"

#define RETRY_MS 50		/* between tries to connect */
#define INPUT_ROOM 8192		/* less room than this: read no input */
#define INPUT_BYTES 4096

struct port {
	struct loop *loop;
	struct port_conf conf;
	const struct port_ops *ops;
	void *arg;
	struct wire *wire;	/* NULL: a socket */
	int listener, peer;	/* of the socket, or -1 */
	struct watch *listen_watch, *peer_watch;
	struct timer *retry;
	struct timer *dribble;
	int64_t dribble_ms;	/* 0: as fast as it is read */
	struct buf *out;
	uint64_t lost;
	bool plugged, held;
};

bool
port_heard(const struct port *p)
{
	struct wire_stat st;

	if (p->wire == NULL)
		return p->peer != -1;
	wire_stat(p->wire, &st);
	return st.heard;
}

static void
arm_peer(struct port *p)
{
	short events = 0;

	if (p->peer == -1)
		return;
	if (!p->held && buf_room(p->out) >= INPUT_ROOM)
		events |= POLLIN;
	if (buf_len(p->out) > 0 && p->dribble_ms == 0)
		events |= POLLOUT;
	watch_set(p->peer_watch, events);
}

static void
peer_lost(struct port *p)
{
	watch_free(p->peer_watch);
	p->peer_watch = NULL;
	close(p->peer);
	p->peer = -1;
	buf_clear(p->out);
	if (p->conf.connect && p->plugged)
		timer_set(p->retry, RETRY_MS);
}

/* Hand on at most n bytes; how many were taken. */
static size_t
hand_on(struct port *p, size_t n)
{
	ssize_t sent;

	if (p->wire != NULL) {
		if (n > wire_room(p->wire))
			n = wire_room(p->wire);
		wire_put(p->wire, buf_data(p->out), n);
		sent = (ssize_t)n;
	} else {
		sent = send(p->peer, buf_data(p->out), n, MSG_NOSIGNAL);
	}
	if (sent <= 0)
		return 0;
	buf_drop(p->out, (size_t)sent);
	return (size_t)sent;
}

static void
pump(struct port *p)
{
	if (!port_heard(p))
		buf_clear(p->out);
	if (buf_len(p->out) == 0)
		return;
	if (p->dribble_ms > 0) {
		if (!timer_is_set(p->dribble))
			timer_set(p->dribble, p->dribble_ms);
		return;
	}
	hand_on(p, buf_len(p->out));
	arm_peer(p);
}

static void
on_dribble(void *arg)
{
	struct port *p = arg;

	if (!port_heard(p))
		buf_clear(p->out);
	if (buf_len(p->out) > 0)
		hand_on(p, 1);
	pump(p);
	p->ops->drained(p->arg);
	arm_peer(p);
}

/* The socket's other side sent something, or can take something. */
static void
on_peer(void *arg, short revents)
{
	struct port *p = arg;
	uint8_t in[INPUT_BYTES];
	ssize_t n;

	if (revents & POLLOUT) {
		pump(p);
		p->ops->drained(p->arg);
	}
	if (p->peer == -1 || !(revents & ~POLLOUT) ||
	    (p->held && !(revents & (POLLHUP | POLLERR))))
		return;
	n = read(p->peer, in, sizeof(in));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		peer_lost(p);
		p->ops->closed(p->arg);
		return;
	}
	p->ops->input(p->arg, in, (size_t)n);
	arm_peer(p);
}

static void
peer_found(struct port *p, int fd)
{
	if (p->peer != -1 || fd_prepare(fd) == -1) {
		close(fd);	/* a serial port has one other end */
		return;
	}
	p->peer = fd;
	p->peer_watch = watch_new(p->loop, fd, POLLIN, on_peer, p);
}

static void
on_listener(void *arg, short revents)
{
	struct port *p = arg;
	int fd = accept(p->listener, NULL, NULL);

	(void)revents;
	if (fd != -1)
		peer_found(p, fd);
}

static void
on_retry(void *arg)
{
	struct port *p = arg;
	int fd = sock_connect(p->conf.socket);

	if (fd == -1)
		timer_set(p->retry, RETRY_MS);
	else
		peer_found(p, fd);
}

static void
on_wire_input(void *arg, const uint8_t *in, size_t n)
{
	struct port *p = arg;

	p->ops->input(p->arg, in, n);
}

static void
on_wire_drained(void *arg)
{
	struct port *p = arg;

	pump(p);
	p->ops->drained(p->arg);
}

static void
on_wire_plugged(void *arg, const char *name)
{
	struct port *p = arg;

	p->ops->plugged(p->arg, name);
}

static void
on_wire_opened(void *arg)
{
	(void)arg;
}

static void
on_wire_closed(void *arg)
{
	struct port *p = arg;

	buf_clear(p->out);
	wire_discard(p->wire);
	p->ops->closed(p->arg);
}

static const struct wire_ops wire_ops = {
	on_wire_input,
	on_wire_drained,
	on_wire_plugged,
	on_wire_opened,
	on_wire_closed,
};

struct port *
port_new(struct loop *loop, const struct port_conf *conf,
    const struct port_ops *ops, void *arg)
{
	struct port *p = xcalloc(1, sizeof(*p));
	const struct wire_conf wire_conf = { .link = conf->link };

	p->loop = loop;
	p->conf = *conf;
	p->ops = ops;
	p->arg = arg;
	p->listener = p->peer = -1;
	p->out = buf_new(PORT_QUEUE);
	p->retry = timer_new(loop, on_retry, p);
	p->dribble = timer_new(loop, on_dribble, p);
	/* Without files to append to, this cannot fail. */
	if (conf->socket == NULL)
		p->wire = wire_new(loop, &wire_conf, &wire_ops, p);
	return p;
}

void
port_free(struct port *p)
{
	if (p == NULL)
		return;
	port_unplug(p);
	wire_free(p->wire);
	timer_free(p->retry);
	timer_free(p->dribble);
	buf_free(p->out);
	free(p);
}

static int
plug_listener(struct port *p)
{
	p->listener = sock_listen(p->conf.socket);
	if (p->listener == -1) {
		log_errno("%s", p->conf.socket);
		return -1;
	}
	p->listen_watch = watch_new(p->loop, p->listener, POLLIN, on_listener,
	    p);
	p->ops->plugged(p->arg, p->conf.socket);
	return 0;
}

int
port_plug(struct port *p)
{
	if (p->plugged)
		return 0;
	if (p->wire != NULL) {
		if (wire_plug(p->wire) == -1)
			return -1;
	} else if (p->conf.connect) {
		p->ops->plugged(p->arg, p->conf.socket);
		timer_set(p->retry, 0);
	} else if (plug_listener(p) == -1) {
		return -1;
	}
	p->plugged = true;
	return 0;
}

void
port_unplug(struct port *p)
{
	if (!p->plugged)
		return;
	p->plugged = false;
	timer_stop(p->retry);
	timer_stop(p->dribble);
	if (p->wire != NULL) {
		wire_unplug(p->wire);
		wire_discard(p->wire);
	}
	if (p->peer != -1)
		peer_lost(p);
	if (p->listener != -1) {
		watch_free(p->listen_watch);
		close(p->listener);
		p->listener = -1;
		unlink(p->conf.socket);
	}
	buf_clear(p->out);
}

void
port_put(struct port *p, const void *bytes, size_t n)
{
	if (!port_heard(p) || buf_add(p->out, bytes, n) == -1)
		p->lost += n;
	pump(p);
}

size_t
port_room(const struct port *p)
{
	return buf_room(p->out);
}

uint64_t
port_lost(const struct port *p)
{
	return p->lost;
}

void
port_dribble(struct port *p, int64_t ms)
{
	p->dribble_ms = ms;
	timer_stop(p->dribble);
	pump(p);
}

void
port_hold(struct port *p, bool held)
{
	p->held = held;
	if (p->wire != NULL)
		wire_hold(p->wire, held);
	arm_peer(p);
}

bool
port_dtr(const struct port *p)
{
	return p->wire == NULL || wire_dtr(p->wire);
}
