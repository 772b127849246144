#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../serial/tail.h"
#include "answer.h"
#include "base/log.h"
#include "base/mem.h"
#include "client_internal.h"
#include "task.h"
#include "witness.h"

/* Requests.  Each returns 0, or -1 when the frame is not what it should be. */

static int
rq_hello(struct client *c, struct frame *f)
{
	struct frame_out *out;
	char program[32];
	uint16_t version = frame_u16(f);

	frame_str(f, program, sizeof(program));
	if (!frame_ok(f) || c->hello)
		return -1;
	if (version != PROTO_VERSION) {
		log_warn("a %s of another version knocked (%u, not %u)",
		    program, version, PROTO_VERSION);
		return -1;
	}
	c->hello = true;
	out = client_begin(c, AN_WELCOME);
	frame_put_u16(out, PROTO_VERSION);
	frame_put_str(out, c->console->conf->name);
	frame_put_u64(out, c->console->epoch);
	link_send(c->link);
	for (size_t i = 0; i < wires_count(c->console->wires); i++)
		client_send_console(c, wires_at(c->console->wires, i));
	peer_send_presence(c, true);
	client_send_grants(c);
	notify_peer_up(c);
	return 0;
}

static int
rq_close(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));

	if (!frame_ok(f))
		return -1;
	if (g != NULL)
		guest_free(g, "");
	return 0;
}

static int
rq_attach(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));
	uint16_t id = frame_u16(f);
	uint8_t mode = frame_u8(f);
	struct wire *w = wires_id(c->console->wires, id);

	if (!frame_ok(f) || mode > ATTACH_REJOIN_WATCH)
		return -1;
	if (g == NULL)
		return 0;	/* kicked while this was on its way */
	guest_detach(g, "to another console");
	if (w == NULL || !guest_sees(g, w))
		guest_send_attached(g, id, ST_NO_CONSOLE, "no such console");
	else if (mode == ATTACH_FORCE &&
	    guest_role_on(g, w) == ROLE_VIEWER)
		guest_send_attached(g, id, ST_DENIED, "you may only watch");
	else
		guest_attach(g, w, (enum attach_mode)mode);
	return 0;
}

static int
rq_detach(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));

	if (!frame_ok(f))
		return -1;
	if (g != NULL)
		guest_detach(g, "");
	return 0;
}

static int
rq_input(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));
	const uint8_t *p;
	size_t n;

	p = frame_rest(f, &n);
	if (!frame_ok(f))
		return -1;
	if (g == NULL || n == 0)
		return 0;
	if (g->wire == NULL || !guest_may_type(g)) {
		guest_taken(g, n, true);
		return 0;
	}
	witness_typed(g->wire);
	return source_add(g->source, p, n);
}

static int
rq_interrupt(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));

	if (!frame_ok(f))
		return -1;
	if (g == NULL)
		return 0;
	if (g->wire == NULL || !guest_may_type(g)) {
		guest_taken(g, 1, true);
		return 0;
	}
	source_drop(g->source);
	return source_add(g->source, "\003", 1);
}

static int
rq_pen(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));
	uint8_t op = frame_u8(f);

	if (!frame_ok(f) || op > PEN_WATCH)
		return -1;
	if (g == NULL || g->wire == NULL)
		return 0;
	switch ((enum pen_op)op) {
	case PEN_ASK:
		seat_ask(g->seat, mono_now());
		break;
	case PEN_TAKE:
		seat_take(g->seat, mono_now());
		break;
	case PEN_WATCH:
		seat_watch(g->seat, mono_now());
		break;
	}
	return 0;
}

static int
rq_subscribe(struct client *c, struct frame *f)
{
	struct wire *w = wires_id(c->console->wires, frame_u16(f));
	uint64_t from = frame_u64(f);
	struct frame_out *out;
	struct sub *s;

	if (!frame_ok(f))
		return -1;
	if (w == NULL)
		return 0;
	s = client_sub(c, w);
	if (s == NULL)
		s = client_sub(c, NULL);
	if (s == NULL)
		return -1;
	s->wire = w;
	s->at = from;
	if (from > history_head(wire_history(w)))
		s->at = history_head(wire_history(w));
	if (s->at < history_tail(wire_history(w)))
		client_send_gap(c, s, history_tail(wire_history(w)));
	out = client_begin(c, AN_DATA);
	frame_put_u16(out, wire_id(w));
	frame_put_u64(out, s->at);
	link_send(c->link);
	c->progress = mono_now();
	client_push(c, s);
	return 0;
}

static int
rq_unsubscribe(struct client *c, struct frame *f)
{
	struct wire *w = wires_id(c->console->wires, frame_u16(f));
	struct sub *s = w == NULL ? NULL : client_sub(c, w);

	if (!frame_ok(f))
		return -1;
	if (s != NULL) {
		s->wire = NULL;
		wire_unhold(w);
	}
	return 0;
}

static int
rq_tail(struct client *c, struct frame *f)
{
	uint32_t request = frame_u32(f);
	struct wire *w = wires_id(c->console->wires, frame_u16(f));
	uint32_t lines = frame_u32(f);
	bool raw = frame_u8(f) != 0;
	struct answer a = { .console = c->console, .client = c,
	    .request = request };
	uint64_t end;
	char *text;

	if (!frame_ok(f))
		return -1;
	if (w == NULL) {
		client_send_end(c, request, ST_NO_CONSOLE, 0);
		return 0;
	}
	text = tail_text(wire_history(w), lines, raw, &end);
	answer_out(&a, 1, text);
	free(text);
	client_send_end(c, request, ST_OK, end);
	return 0;
}

static int
rq_command(struct client *c, struct frame *f)
{
	/* The modem process asks for what an SMS may ask for. */
	struct guest local = { .client = c, .role = c->peer == PEER_LOCAL ?
	    ROLE_ADMIN : ROLE_VIEWER };
	char *argv[ARGS_MAX + 1], word[WORD_BYTES];
	struct answer a = { .console = c->console, .client = c };
	uint32_t sid;
	int argc;

	a.request = frame_u32(f);
	sid = frame_u32(f);
	a.tty = frame_u8(f) != 0;
	a.columns = frame_u16(f);
	a.rows = frame_u16(f);
	argc = frame_u8(f);
	if (argc > ARGS_MAX)
		return -1;
	for (a.argc = 0; a.argc < argc && !f->bad; a.argc++) {
		frame_str(f, word, sizeof(word));
		argv[a.argc] = xstrdup(word);
	}
	argv[a.argc] = NULL;
	a.argv = argv;
	a.guest = sid == 0 && c->peer != PEER_SSH ? &local : guest_find(c, sid);
	snprintf(local.user, sizeof(local.user), "%s", c->local_user);
	snprintf(local.via, sizeof(local.via), "%s",
	    c->peer == PEER_LOCAL ? "oobctl" : "modem");
	if (frame_ok(f) && argc > 0 && a.guest != NULL)
		answer_run(&a);
	else if (frame_ok(f))
		client_send_end(c, a.request, argc == 0 ? ST_USAGE : ST_DENIED, 0);
	for (int i = 0; i < a.argc; i++)
		free(argv[i]);
	return frame_ok(f) ? 0 : -1;
}

static int
rq_cancel(struct client *c, struct frame *f)
{
	uint32_t request = frame_u32(f);

	if (!frame_ok(f))
		return -1;
	task_cancel(c, request);
	client_cancel_reader(c, request);
	return 0;
}

static int
rq_break(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));

	if (!frame_ok(f))
		return -1;
	if (g != NULL && g->wire != NULL)
		answer_break(g, 0);
	return 0;
}

static int
rq_note(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));
	char text[1024];

	frame_str(f, text, sizeof(text));
	if (!frame_ok(f))
		return -1;
	if (g == NULL || g->wire == NULL)
		return 0;
	if (guest_role_on(g, g->wire) == ROLE_VIEWER)
		guest_tell(g, "you may only watch: no note");
	else
		answer_note(g->client->console, g->wire, g->user, text);
	return 0;
}

static int
rq_seen(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));
	uint64_t offset = frame_u64(f);
	uint32_t silent_ms = frame_u32(f);
	uint8_t how = frame_u8(f);
	struct witness *t = c->console->witness;

	if (!frame_ok(f) || how > SEEN_CUT)
		return -1;
	if (g == NULL || g->wire == NULL)
		return 0;
	g->reads = how == SEEN_HERE;
	if (how == SEEN_HERE)
		witness_told(t, g->wire, g->user);
	else
		witness_seen(t, g->wire, g->user, offset, silent_ms,
		    how == SEEN_CUT);
	return 0;
}

static int
rq_record(struct client *c, struct frame *f)
{
	struct guest *g = guest_find(c, frame_u32(f));

	if (!frame_ok(f))
		return -1;
	if (g == NULL || g->wire == NULL)
		return 0;
	if (!seat_writes(g->seat)) {
		guest_tell(g, "only who has the pen may do that");
		return 0;
	}
	source_set_hidden(g->source, !source_hidden(g->source));
	guest_tell(g, !wire_conf(g->wire)->record_input ?
	    "typed input is never recorded on this console" :
	    source_hidden(g->source) ? "what you type is not recorded now" :
	    "what you type is recorded again");
	return 0;
}

#define LOCAL (1U << PEER_LOCAL)
#define SSH (1U << PEER_SSH)
#define MODEM (1U << PEER_MODEM)
#define NOTIFY (1U << PEER_NOTIFY)
#define PEERS (SSH | MODEM)
#define ALL (LOCAL | PEERS)

static const struct {
	uint16_t type;
	unsigned from;		/* who may ask */
	int (*handle)(struct client *, struct frame *);
} requests[] = {
	{ RQ_INPUT,		LOCAL | SSH,	rq_input },
	{ RQ_HELLO,		ALL | NOTIFY,	rq_hello },
	{ RQ_OPEN,		LOCAL | SSH,	guest_open },
	{ RQ_CLOSE,		LOCAL | SSH,	rq_close },
	{ RQ_ATTACH,	LOCAL | SSH,	rq_attach },
	{ RQ_DETACH,	LOCAL | SSH,	rq_detach },
	{ RQ_PEN,		LOCAL | SSH,	rq_pen },
	{ RQ_SUBSCRIBE,	LOCAL | SSH,	rq_subscribe },
	{ RQ_UNSUBSCRIBE, LOCAL | SSH,	rq_unsubscribe },
	{ RQ_TAIL,		ALL | NOTIFY,	rq_tail },
	{ RQ_COMMAND,	ALL,		rq_command },
	{ RQ_CANCEL,	ALL,		rq_cancel },
	{ RQ_READS,	LOCAL | SSH,	reader_goes_on },
	{ RQ_BREAK,		LOCAL | SSH,	rq_break },
	{ RQ_NOTE,		LOCAL | SSH,	rq_note },
	{ RQ_RECORD,	LOCAL | SSH,	rq_record },
	{ RQ_SEEN,		LOCAL | SSH,	rq_seen },
	{ RQ_INTERRUPT,	LOCAL | SSH,	rq_interrupt },
	{ RQ_INFO,		PEERS | NOTIFY,	peer_info },
	{ RQ_EVENT,		PEERS,		peer_event },
	{ RQ_TELL,		PEERS,		peer_tell },
	{ RQ_AUTH,		LOCAL | SSH,	peer_auth },
	{ RQ_TOLD,		PEERS | NOTIFY,	task_told },
	{ RQ_DONE,		PEERS | NOTIFY,	task_done },
	{ NT_TAKEN,		NOTIFY,		notify_peer_taken },
};

int
client_request(void *arg, struct frame *f, int fd)
{
	struct client *c = arg;

	if (fd != -1) {
		close(fd);
		return -1;
	}
	if (!c->hello && f->type != RQ_HELLO)
		return -1;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].type == f->type &&
		    (requests[i].from & 1U << c->peer) != 0)
			return requests[i].handle(c, f);
	}
	return -1;
}
