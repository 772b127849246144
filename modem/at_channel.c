#include <stdlib.h>

#include "../server/base/mem.h"
#include "at_channel.h"
#include "at_port.h"

struct at_channel {
	struct loop *loop;
	struct at_port *port;
	struct at_queue *queue;
	struct timer *timer;
	const struct at_channel_ops *ops;
	void *arg;
	unsigned depth;		/* callbacks between two uses of this */
	bool dead;
};

static int
do_write(void *arg, const void *bytes, size_t n)
{
	struct at_channel *c = arg;

	return c->port == NULL ? -1 : at_port_write(c->port, bytes, n);
}

static void
do_timer(void *arg, int64_t ms)
{
	struct at_channel *c = arg;

	if (ms < 0)
		timer_stop(c->timer);
	else
		timer_set(c->timer, ms);
}

static void
do_slow(void *arg, bool slow)
{
	struct at_channel *c = arg;

	if (c->port != NULL)
		at_port_slow(c->port, slow);
}

static void
on_synced(void *arg)
{
	struct at_channel *c = arg;

	c->ops->synced(c->arg, c);
}

static void
on_silent(void *arg, const char *why)
{
	struct at_channel *c = arg;

	c->ops->silent(c->arg, c, why);
}

static const struct at_queue_ops queue_ops = {
	.write = do_write,
	.timer = do_timer,
	.slow = do_slow,
	.synced = on_synced,
	.silent = on_silent,
};

static void
on_input(void *arg, const uint8_t *p, size_t n)
{
	struct at_channel *c = arg;

	at_queue_input(c->queue, p, n);
}

static void
on_gone(void *arg, const char *why)
{
	struct at_channel *c = arg;

	c->depth++;
	at_channel_close(c);
	if (!c->dead)
		c->ops->gone(c->arg, c, why);
	if (--c->depth == 0 && c->dead)
		free(c);
}

static const struct at_port_ops port_ops = {
	.input = on_input,
	.gone = on_gone,
};

static void
on_timer(void *arg)
{
	struct at_channel *c = arg;

	at_queue_timeout(c->queue);
}

struct at_channel *
at_channel_new(struct loop *loop, const char *name,
    const struct at_channel_ops *ops, void *arg)
{
	struct at_channel *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->ops = ops;
	c->arg = arg;
	c->timer = timer_new(loop, on_timer, c);
	c->queue = at_queue_new(name, &queue_ops, c);
	return c;
}

void
at_channel_free(struct at_channel *c)
{
	if (c == NULL)
		return;
	at_port_free(c->port);
	at_queue_free(c->queue);
	timer_free(c->timer);
	c->port = NULL;
	c->dead = true;
	if (c->depth == 0)
		free(c);
}

void
at_channel_open(struct at_channel *c, int fd)
{
	at_channel_close(c);
	c->port = at_port_new(c->loop, fd, &port_ops, c);
	at_queue_attach(c->queue);
}

void
at_channel_close(struct at_channel *c)
{
	struct at_port *port = c->port;

	c->port = NULL;
	at_port_free(port);
	at_queue_detach(c->queue);
}

bool
at_channel_is_open(const struct at_channel *c)
{
	return c->port != NULL;
}

int
at_channel_release(struct at_channel *c)
{
	struct at_port *port = c->port;
	int fd;

	if (port == NULL)
		return -1;
	c->port = NULL;
	fd = at_port_release(port);
	at_queue_detach(c->queue);
	return fd;
}

int
at_channel_raw(struct at_channel *c, const void *bytes, size_t n)
{
	return do_write(c, bytes, n);
}

int
at_channel_fd(const struct at_channel *c)
{
	return c->port == NULL ? -1 : at_port_fd(c->port);
}

struct at_queue *
at_channel_queue(struct at_channel *c)
{
	return c->queue;
}
