#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "client_internal.h"
#include "task.h"

#define OUT_MAX (512 * 1024)	/* queued to one client */
/* Of that, what a console's flood leaves: for verbs, answers and notices. */
#define OUT_KEPT (FRAME_HEAD + FRAME_MAX)
#define PACE_MS 250		/* taking nothing for longer: not keeping pace */

struct frame_out *
client_begin(struct client *c, uint16_t type)
{
	c->dirty = true;
	return link_start(c->link, type);
}

/* Data. */

struct sub *
client_sub(struct client *c, const struct wire *w)
{
	for (size_t i = 0; i < WIRES_MAX; i++) {
		if (c->subs[i].wire == w)
			return &c->subs[i];
	}
	return NULL;
}

void
client_send_gap(struct client *c, struct sub *s, uint64_t to)
{
	struct frame_out *out = client_begin(c, AN_GAP);

	frame_put_u16(out, wire_id(s->wire));
	frame_put_u64(out, s->at);
	frame_put_u64(out, to);
	link_send(c->link);
	s->at = to;
}

/* Send what the subscriber has not had, as far as its queue has room. */
void
client_push(struct client *c, struct sub *s)
{
	const struct history *h = wire_history(s->wire);
	uint8_t block[DATA_MAX];
	struct frame_out *out;
	ssize_t n;

	while (s->at < history_head(h) &&
	    link_room(c->link) > OUT_KEPT + DATA_MAX + 64) {
		n = history_read(h, s->at, block, sizeof(block));
		if (n == -1) {
			client_send_gap(c, s, history_tail(h));
			continue;
		}
		out = client_begin(c, AN_DATA);
		frame_put_u16(out, wire_id(s->wire));
		frame_put_u64(out, s->at);
		frame_put_bytes(out, block, (size_t)n);
		link_send(c->link);
		s->at += (uint64_t)n;
		c->progress = loop_now(c->console->loop);
	}
}

void
clients_data(struct console *con, struct wire *w)
{
	struct sub *s;

	for (struct client *c = con->clients; c != NULL; c = c->next) {
		if ((s = client_sub(c, w)) != NULL)
			client_push(c, s);
	}
}

bool
clients_behind(struct console *con, struct wire *w, uint64_t at)
{
	struct mono now = loop_now(con->loop);
	struct sub *s;

	for (struct client *c = con->clients; c != NULL; c = c->next) {
		s = client_sub(c, w);
		if (s != NULL && s->at < at &&
		    mono_ms(c->progress, now) < PACE_MS)
			return true;
	}
	return false;
}

static void
on_room(void *arg)
{
	struct client *c = arg;

	for (size_t i = 0; i < WIRES_MAX; i++) {
		if (c->subs[i].wire == NULL)
			continue;
		client_push(c, &c->subs[i]);
		wire_unhold(c->subs[i].wire);
	}
}

/* Consoles as the client sees them. */

void
client_send_console(struct client *c, struct wire *w)
{
	const struct config_console *conf = wire_conf(w);
	char line[LINE_TEXT], description[128];
	struct frame_out *out = client_begin(c, AN_CONSOLE);

	snprintf(description, sizeof(description), "%s", conf->description);
	frame_put_u16(out, wire_id(w));
	frame_put_u8(out, wire_is_up(w));
	frame_put_u32(out, wire_line(w)->speed);
	frame_put_str(out, conf->name);
	frame_put_str(out, description);
	frame_put_str(out, line_text(line, wire_line(w)));
	frame_put_u64(out, history_tail(wire_history(w)));
	frame_put_u64(out, history_head(wire_history(w)));
	link_send(c->link);
}

void
clients_changed(struct console *con, struct wire *w)
{
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		if (c->hello)
			client_send_console(c, w);
		for (struct guest *g = c->guests; g != NULL; g = g->next) {
			if (g->wire == w)
				g->told_down = false;
		}
	}
}

static void
send_notice(struct client *c, uint16_t console, uint32_t sid,
    const char *text)
{
	struct frame_out *out = client_begin(c, AN_NOTICE);

	frame_put_u16(out, console);
	frame_put_u32(out, sid);
	frame_put_str(out, text);
	link_send(c->link);
}

void
clients_notice(struct console *con, struct wire *w, const char *text)
{
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (struct guest *g = c->guests; g != NULL; g = g->next) {
			if (g->wire != w)
				continue;
			send_notice(c, wire_id(w), 0, text);
			break;
		}
	}
}

/* Clients. */

static void
free_client(struct client *c, const char *why)
{
	struct client **at;

	for (at = &c->console->clients; *at != c; at = &(*at)->next)
		continue;
	*at = c->next;
	c->console->nclients--;
	while (c->guests != NULL)
		guest_free(c->guests, why);
	client_forget_readers(c);
	for (size_t i = 0; i < WIRES_MAX; i++) {
		if (c->subs[i].wire != NULL)
			wire_unhold(c->subs[i].wire);
	}
	tasks_client_gone(c);
	peer_gone(c);
	timer_free(c->credit);
	link_free(c->link);
	free(c);
}

static void
on_down(void *arg, const char *why)
{
	struct client *c = arg;

	if (strcmp(why, "peer gone") != 0)
		log_warn("%s %s: %s", c->peer == PEER_LOCAL ? "oobctl of" :
		    "process", c->local_user, why);
	free_client(c, c->peer == PEER_SSH ? "the ssh process ended" : "");
}

static const struct link_ops link_ops = {
	.frame = client_request,
	.down = on_down,
	.room = on_room,
};

void
client_add(struct console *con, int fd, enum peer peer, const char *local_user)
{
	struct client *c;

	/* There is always room for our own. */
	if (con->nclients >= CLIENTS_MAX && peer == PEER_LOCAL) {
		log_warn("too many clients of the control socket");
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->console = con;
	c->peer = peer;
	snprintf(c->local_user, sizeof(c->local_user), "%s", local_user);
	c->link = link_new(con->loop, fd, OUT_MAX, &link_ops, c);
	c->credit = timer_new(con->loop, guest_credit_due, c);
	c->next = con->clients;
	con->clients = c;
	con->nclients++;
}

enum peer
client_peer(const struct client *c)
{
	return c->peer;
}

void
clients_free(struct console *con)
{
	while (con->clients != NULL)
		free_client(con->clients, "the daemon stops");
}

void
clients_flush(struct console *con)
{
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		if (con->presence_due)
			peer_send_presence(c, false);
		if (!c->dirty)
			continue;
		c->dirty = false;
		link_flush(c->link);
	}
	con->presence_due = false;
}

void
clients_tell(struct console *con, const char *text)
{
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (struct guest *g = c->guests; g != NULL; g = g->next) {
			if (g->wire != NULL)
				guest_tell(g, text);
		}
	}
}

void
clients_gone(struct console *con, struct wire *w)
{
	struct frame_out *out;
	struct sub *s;

	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (struct guest *g = c->guests; g != NULL; g = g->next) {
			if (g->wire != w)
				continue;
			guest_tell(g, "this console was removed");
			guest_detach(g, "console removed");
		}
		if ((s = client_sub(c, w)) != NULL)
			s->wire = NULL;
		if (!c->hello)
			continue;
		out = client_begin(c, AN_CONSOLE_GONE);
		frame_put_u16(out, wire_id(w));
		link_send(c->link);
	}
}

void
answer_out(const struct answer *a, int stream, const char *text)
{
	size_t n = strlen(text), part;
	struct frame_out *out;

	for (; n > 0; text += part, n -= part) {
		part = n < DATA_MAX ? n : DATA_MAX;
		out = client_begin(a->client, AN_OUT);
		frame_put_u32(out, a->request);
		frame_put_u8(out, (uint8_t)stream);
		frame_put_bytes(out, text, part);
		link_send(a->client->link);
	}
}

void
answer_outf(const struct answer *a, int stream, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer_out(a, stream, text);
}

void
client_send_end(struct client *c, uint32_t request, int status, uint64_t offset)
{
	struct frame_out *out = client_begin(c, AN_END);

	frame_put_u32(out, request);
	frame_put_u8(out, (uint8_t)status);
	frame_put_u64(out, offset);
	link_send(c->link);
}

void
answer_end(const struct answer *a, int status)
{
	client_send_end(a->client, a->request, status, 0);
}
