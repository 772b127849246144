#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "listen.h"
#include "relay_chan.h"
#include "ssh_chan.h"
#include "ssh_hook.h"

#define TURN_MAX (4 * RELAY_CHAN_OUT_MAX) /* so that all get their share */
#define ROOM_MS 10000		/* to wait for room in our server */
#define ROOM_BYTES 16384	/* of a client that was not greeted yet */

enum blocked {
	BLOCKED_NOT,
	BLOCKED_SOCKET,		/* go on when the relay's is writable */
	BLOCKED_PEER,		/* go on when the relay has sent something */
};

struct relay_chan {
	struct relay *relay;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	char peer[LISTEN_TEXT];
	unsigned port;
	bool for_server;
	struct timer *room;	/* for our server to have some */
	struct mono since;
	int fd;			/* our socket, -1: not yet, or done */
	struct watch *watch;
	bool readable;
	/* From the relay. */
	size_t left;		/* in libssh's buffer */
	struct buf *in;
	bool eof, remote_closed;
	bool shut;		/* the socket was told of the end */
	/* To the relay. */
	struct buf *out;
	bool ended;		/* our socket will give no more */
	bool closed;		/* our close is sent */
	enum blocked blocked;
	size_t budget;
	uint32_t fits;
};

static void
end_socket(struct relay_chan *c)
{
	watch_free(c->watch);
	c->watch = NULL;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->ended = true;
	buf_clear(c->in);
}

/* To our socket, as much as it takes; -1: it takes no more, ever. */
static ssize_t
give(struct relay_chan *c, const void *p, size_t n)
{
	ssize_t w = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (w >= 0)
		return w;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		return 0;
	return -1;
}

/* What libssh calls. */

static int
on_data(ssh_session s, ssh_channel channel, void *data, uint32_t n,
    int is_stderr, void *arg)
{
	struct relay_chan *c = arg;
	ssize_t w;

	(void)s;
	(void)channel;
	if (n > SSH_CHAN_INPUT_MAX) {
		/* More than its window: it would fill our memory. */
		relay_fail(c->relay, RELAY_ABUSE, "it ignores the window of "
		    "a channel");
		return (int)n;
	}
	if (is_stderr || c->eof || c->ended)
		return (int)n;
	if (c->fd == -1 && n > ROOM_BYTES) {
		/* A version and a key exchange's offer are less by far. */
		end_socket(c);
		return (int)n;
	}
	if (c->fd == -1 || buf_len(c->in) > 0) {
		c->left = n;
		return 0;
	}
	w = give(c, data, n);
	if (w == -1) {
		/* The run will find the end of it. */
		c->readable = true;
		w = (ssize_t)n;
	}
	c->left = n - (size_t)w;
	return (int)w;
}

static void
on_eof(ssh_session s, ssh_channel channel, void *arg)
{
	struct relay_chan *c = arg;

	(void)s;
	(void)channel;
	c->eof = true;
}

static void
on_close(ssh_session s, ssh_channel channel, void *arg)
{
	struct relay_chan *c = arg;

	(void)s;
	(void)channel;
	c->eof = true;
	c->remote_closed = true;
}

static const struct ssh_channel_callbacks_struct callbacks = {
	.channel_data_function = on_data,
	.channel_eof_function = on_eof,
	.channel_close_function = on_close,
};

/* Our socket. */

static void
on_fd(void *arg, short revents)
{
	struct relay_chan *c = arg;

	if (revents & ~POLLOUT)
		c->readable = true;
	relay_wake(c->relay);
}

static void
rewatch(struct relay_chan *c)
{
	short events = 0;

	if (c->watch == NULL)
		return;
	if (!c->readable && !c->ended)
		events |= POLLIN;
	if (buf_len(c->in) > 0)
		events |= POLLOUT;
	/* A hang-up that cannot be dealt with now would come all the time. */
	watch_want(c->watch, events);
}

static void
on_room(void *arg)
{
	struct relay_chan *c = arg;

	relay_wake(c->relay);
}

struct relay_chan *
relay_chan_new(struct relay *relay, ssh_channel channel, const char *peer,
    unsigned port)
{
	struct relay_chan *c = xcalloc(1, sizeof(*c));

	c->relay = relay;
	c->channel = channel;
	c->fd = -1;
	c->for_server = peer != NULL;
	c->since = mono_now();
	c->port = port;
	if (peer != NULL)
		snprintf(c->peer, sizeof(c->peer), "%s", peer);
	c->in = buf_new(SSH_CHAN_INPUT_MAX);
	c->out = buf_new(RELAY_CHAN_OUT_MAX);
	c->callbacks = callbacks;
	c->callbacks.userdata = c;
	ssh_callbacks_init(&c->callbacks);
	ssh_set_channel_callbacks(c->channel, &c->callbacks);
	return c;
}

void
relay_chan_free(struct relay_chan *c, bool release)
{
	end_socket(c);
	timer_free(c->room);
	/* libssh calls them on late data even after ssh_channel_free. */
	ssh_remove_channel_callbacks(c->channel, &c->callbacks);
	if (release)
		ssh_channel_free(c->channel);
	buf_free(c->in);
	buf_free(c->out);
	free(c);
}

void
relay_chan_join(struct relay_chan *c, int fd)
{
	c->fd = fd;
	c->watch = watch_new(c->relay->world->loop, fd, POLLIN, on_fd, c);
}

/* Hand the other end of a pair to our own server. */
static void
join_server(struct relay_chan *c)
{
	struct relay *r = c->relay;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    pair) == -1) {
		log_errno("relay %s: no socket for a channel", r->conf->name);
		end_socket(c);
		return;
	}
	if (ssh_conns_add_relayed(r->world->conns, pair[1],
	    &(struct ssh_conns_peer){ c->peer, c->port, r->via })) {
		relay_chan_join(c, pair[0]);
		timer_stop(c->room);
		return;
	}
	close(pair[0]);
	close(pair[1]);
	if (mono_ms(c->since, mono_now()) > ROOM_MS) {
		/* As often as the relay likes. */
		log_debug("%s: a channel ends: too many connections without "
		    "a login", r->via);
		end_socket(c);
		return;
	}
	timer_set(c->room, SSH_CONNS_WAIT_MS);
}

static void
find_server(struct relay_chan *c)
{
	if (c->fd != -1 || c->ended || !c->for_server)
		return;
	if (c->relay->state == RELAY_LEAVING || c->remote_closed) {
		end_socket(c);
		return;
	}
	if (c->room == NULL)
		c->room = timer_new(c->relay->world->loop, on_room, c);
	if (!timer_is_set(c->room))
		join_server(c);
}

/* From the relay. */

static void
deliver(struct relay_chan *c)
{
	ssize_t w = 1;

	while (c->fd != -1 && w > 0) {
		ssh_chan_fetch(c->channel, &c->left, c->in);
		if (buf_len(c->in) == 0)
			break;
		w = give(c, buf_data(c->in), buf_len(c->in));
		if (w == -1)
			end_socket(c);
		else
			buf_drop(c->in, (size_t)w);
	}
	if (c->fd != -1 && c->eof && !c->shut && c->left == 0 &&
	    buf_len(c->in) == 0) {
		c->shut = true;
		shutdown(c->fd, SHUT_WR);
	}
}

/* To the relay. */

/* Bytes taken. */
static size_t
write_out(struct relay_chan *c, const uint8_t *p, size_t n)
{
	int r;

	r = ssh_hook_write(c->channel, 1, p, (uint32_t)n, &c->fits);
	if (r == -2)
		relay_fail(c->relay, RELAY_ABUSE,
		    "it wants packets under %d bytes", SSH_HOOK_PACKET_MIN);
	if (r <= 0) {
		/* Closing, or in the middle of a key exchange. */
		c->blocked = BLOCKED_PEER;
		return 0;
	}
	c->budget -= (size_t)r < c->budget ? (size_t)r : c->budget;
	return (size_t)r;
}

/* How much can be written now. */
static size_t
out_room(struct relay_chan *c)
{
	size_t n = ssh_channel_window_size(c->channel);

	if (n == 0) {
		c->blocked = BLOCKED_PEER;
		return 0;
	}
	if (c->budget == 0 || !relay_writable(c->relay)) {
		c->blocked = BLOCKED_SOCKET;
		return 0;
	}
	if (n > c->budget)
		n = c->budget;
	return n < RELAY_CHAN_OUT_MAX ? n : RELAY_CHAN_OUT_MAX;
}

/* From our socket straight to the channel; false: nothing more now. */
static bool
pass_on(struct relay_chan *c, size_t room)
{
	uint8_t block[RELAY_CHAN_OUT_MAX];
	ssize_t n = recv(c->fd, block, room, MSG_DONTWAIT);
	size_t taken;

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		c->readable = false;
		return false;
	}
	if (n <= 0) {
		end_socket(c);
		return false;
	}
	if ((size_t)n < room)
		c->readable = false;
	taken = write_out(c, block, (size_t)n);
	if (taken < (size_t)n)
		(void)buf_add(c->out, block + taken, (size_t)n - taken);
	return taken == (size_t)n;
}

static void
collect(struct relay_chan *c)
{
	size_t room, n;

	while (c->blocked == BLOCKED_NOT &&
	    c->relay->failing == RELAY_OK) {
		n = buf_len(c->out);
		if (n == 0 && (c->fd == -1 || !c->readable))
			return;
		room = out_room(c);
		if (room == 0)
			return;
		if (n == 0) {
			if (!pass_on(c, room))
				return;
			continue;
		}
		buf_drop(c->out, write_out(c, buf_data(c->out),
		    n < room ? n : room));
	}
}

/* The end. */

static void
send_close(struct relay_chan *c)
{
	/* Sends EOF first; with SSH_AGAIN the close itself has not been. */
	if (ssh_channel_close(c->channel) == SSH_AGAIN) {
		c->blocked = BLOCKED_SOCKET;
		return;
	}
	c->closed = true;
	buf_clear(c->out);
}

void
relay_chan_run(struct relay_chan *c)
{
	c->blocked = BLOCKED_NOT;
	c->budget = TURN_MAX;
	if (c->closed)
		return;
	find_server(c);
	deliver(c);
	if (c->remote_closed) {
		/* What was left to be read from our side has no reader. */
		if (buf_len(c->in) == 0 && c->left == 0)
			end_socket(c);
		buf_clear(c->out);
	} else {
		collect(c);
	}
	if (c->ended && buf_len(c->out) == 0 && c->relay->failing == RELAY_OK)
		send_close(c);
	rewatch(c);
}

bool
relay_chan_wants_out(const struct relay_chan *c)
{
	return c->blocked == BLOCKED_SOCKET;
}

bool
relay_chan_is_over(const struct relay_chan *c)
{
	return c->closed && c->remote_closed;
}

bool
relay_chan_is_ending(const struct relay_chan *c)
{
	return c->ended || c->remote_closed;
}
