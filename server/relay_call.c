#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../modem/route.h"
#include "base/fileio.h"
#include "base/mem.h"
#include "base/str.h"
#include "dialer.h"
#include "proto.h"
#include "relay_call.h"

#define OUT_MAX 4096		/* nothing is said to a dialer */
#define MARGIN_MS 10000		/* for it to be started, and to be ended */
#define ADDRESSES_MAX (RELAY_DIAL_MAX * RELAY_DIAL_TEXT)
#define WHY_MAX 512

struct relay_call {
	struct relay_calls *all;
	struct relay_call *next;
	uint32_t request;
	const struct relay_call_ops *ops;
	void *arg;
	struct link *link;	/* to the dialer; NULL: none yet, or over */
	struct timer *limit;
};

struct relay_calls {
	struct loop *loop;
	struct link *up;
	uint32_t last;
	struct relay_call *first;
};

struct relay_calls *
relay_calls_new(struct loop *loop, struct link *up)
{
	struct relay_calls *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->up = up;
	return all;
}

void
relay_calls_free(struct relay_calls *all)
{
	free(all);
}

/* It says nothing any more. */
static void
finish(struct relay_call *c)
{
	c->request = 0;
	timer_stop(c->limit);
	link_free(c->link);
	c->link = NULL;
}

static void
fail(struct relay_call *c, const char *why)
{
	finish(c);
	c->ops->failed(c->arg, why);
}

/*
 * What the dialer says.  It is shown and recorded, and a dialer has spoken with
 * strangers: nothing of it is more than text.
 */

/* As frame_str. */
static void
take_text(struct frame *f, char *dst, size_t size)
{
	char text[ADDRESSES_MAX];

	frame_str(f, text, size < sizeof(text) ? size : sizeof(text));
	str_safe(dst, size, text, strlen(text));
}

static int
on_resolved(struct relay_call *c, struct frame *f)
{
	char addresses[ADDRESSES_MAX];

	take_text(f, addresses, sizeof(addresses));
	if (!frame_ok(f))
		return -1;
	c->ops->resolved(c->arg, addresses);
	return 0;
}

/* 0 with fd taken over. */
static int
on_connected(struct relay_call *c, struct frame *f, int fd)
{
	char address[RELAY_DIAL_TEXT], unproven[ROUTE_WHY];

	take_text(f, address, sizeof(address));
	take_text(f, unproven, sizeof(unproven));
	if (!frame_ok(f) || (fd != -1 && unproven[0] != '\0'))
		return -1;
	if (fd == -1 && unproven[0] == '\0') {
		fail(c, "no descriptor is free for the connection");
		return 0;
	}
	finish(c);
	if (fd != -1)
		fd_prepare(fd);
	c->ops->connected(c->arg, fd, address, unproven);
	return 0;
}

static int
on_failed(struct relay_call *c, struct frame *f)
{
	char why[WHY_MAX];

	take_text(f, why, sizeof(why));
	if (!frame_ok(f))
		return -1;
	fail(c, why);
	return 0;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	struct relay_call *c = arg;
	int r = -1;

	if (f->type == DL_CONNECTED && (r = on_connected(c, f, fd)) == 0)
		return 0;
	if (fd != -1)
		close(fd);
	else if (f->type == DL_RESOLVED)
		r = on_resolved(c, f);
	else if (f->type == DL_FAILED)
		r = on_failed(c, f);
	return r;
}

static void
on_down(void *arg, const char *why)
{
	(void)why;
	fail(arg, "the process that connects to it has ended");
}

static const struct link_ops dialer_ops = {
	.frame = on_frame,
	.down = on_down,
};

static void
on_limit(void *arg)
{
	fail(arg, "the process that connects to it says nothing");
}

void
relay_calls_take(struct relay_calls *all, uint32_t request, const char *why,
    int fd)
{
	struct relay_call *c = all->first;
	char text[WHY_MAX];

	while (c != NULL && c->request != request)
		c = c->next;
	if (c == NULL || c->link != NULL || request == 0) {
		if (fd != -1)
			close(fd);	/* given up: the dialer sees that */
		return;
	}
	if (fd == -1)
		fail(c, why[0] != '\0' ? str_safe(text, sizeof(text), why,
		    strlen(why)) : "no descriptor is free for it");
	else
		c->link = link_new(all->loop, fd, OUT_MAX, &dialer_ops, c);
}

static void
ask(struct relay_call *c, const struct relay_call_to *to)
{
	struct frame_out *o = link_start(c->all->up, UP_DIAL);

	frame_put_u32(o, c->request);
	frame_put_str(o, to->relay);
	frame_put_u8(o, to->second);
	frame_put_u8(o, to->ppp);
	link_send(c->all->up);
	link_flush(c->all->up);
}

struct relay_call *
relay_call_new(struct relay_calls *all, const struct relay_call_to *to,
    const struct relay_call_ops *ops, void *arg)
{
	struct relay_call *c = xcalloc(1, sizeof(*c));

	c->all = all;
	c->request = ++all->last;
	c->ops = ops;
	c->arg = arg;
	c->limit = timer_new(all->loop, on_limit, c);
	timer_set(c->limit, DIALER_LIMIT_MS + MARGIN_MS);
	c->next = all->first;
	all->first = c;
	ask(c, to);
	return c;
}

void
relay_call_free(struct relay_call *c)
{
	struct relay_call **at;

	if (c == NULL)
		return;
	for (at = &c->all->first; *at != c; at = &(*at)->next)
		continue;
	*at = c->next;
	finish(c);
	timer_free(c->limit);
	free(c);
}
