#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client_internal.h"
#include "task.h"

struct task {
	struct task *next;
	uint32_t id;			/* ours, to the peer */
	struct client *asker, *peer;
	uint32_t request;		/* the asker's */
	bool cut;			/* not all of the answer was taken */
};

static const struct {
	enum peer peer;
	const char *name;
} names[] = {
	{ PEER_SSH,	"ssh" },
	{ PEER_MODEM,	"modem" },
	{ PEER_NOTIFY,	"notify" },
};

static const char *
peer_name(enum peer peer)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].peer == peer)
			return names[i].name;
	}
	return "other";
}

/* The newest link counts: an older one is about to end. */
static struct client *
find_peer(const struct console *con, enum peer peer)
{
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		if (c->peer == peer && c->hello)
			return c;
	}
	return NULL;
}

static struct task *
find_task(const struct client *peer, uint32_t id)
{
	struct task *t;

	for (t = peer->console->tasks; t != NULL; t = t->next) {
		if (t->id == id && t->peer == peer)
			break;
	}
	return t;
}

static void
free_task(struct task *t)
{
	struct console *con = t->asker->console;
	struct task **at;

	for (at = &con->tasks; *at != t; at = &(*at)->next)
		continue;
	*at = t->next;
	con->ntasks--;
	free(t);
}

static void
send_task(const struct task *t, const struct answer *a)
{
	struct frame_out *out = client_begin(t->peer, AN_TASK);

	frame_put_u32(out, t->id);
	frame_put_str(out, guest_user(a->guest));
	frame_put_str(out, guest_via(a->guest));
	frame_put_u8(out, a->tty);
	frame_put_u16(out, a->columns);
	frame_put_u8(out, (uint8_t)a->argc);
	for (int i = 0; i < a->argc; i++)
		frame_put_str(out, a->argv[i]);
	link_send(t->peer->link);
}

/* A command line that fits into RQ_COMMAND may not fit behind our fields. */
static bool
fits(const struct answer *a)
{
	size_t n = 512;

	for (int i = 0; i < a->argc; i++)
		n += 2 + strlen(a->argv[i]);
	return n <= FRAME_MAX;
}

void
task_start(const struct answer *a, enum peer peer)
{
	struct console *con = a->console;
	struct client *to = find_peer(con, peer);
	struct task *t;

	if (to == NULL || link_room(to->link) < FRAME_HEAD + FRAME_MAX) {
		answer_outf(a, 2, "oobd: the %s process is %s, try again\n",
		    peer_name(peer), to == NULL ? "being restarted" :
		    "too busy");
		answer_end(a, ST_DOWN);
		return;
	}
	if (con->ntasks == TASKS_MAX || !fits(a)) {
		answer_outf(a, 2, "oobd: %s\n", fits(a) ? "too many such verbs "
		    "are running, try again" : "the command is too long");
		answer_end(a, ST_FAILED);
		return;
	}
	t = xcalloc(1, sizeof(*t));
	t->id = ++con->last_task;
	t->asker = a->client;
	t->request = a->request;
	t->peer = to;
	t->next = con->tasks;
	con->tasks = t;
	con->ntasks++;
	send_task(t, a);
}

static struct answer
answer_to(const struct task *t)
{
	return (struct answer){ .console = t->asker->console,
	    .client = t->asker, .request = t->request };
}

int
task_told(struct client *peer, struct frame *f)
{
	struct task *t = find_task(peer, frame_u32(f));
	uint8_t stream = frame_u8(f);
	struct frame_out *out;
	const uint8_t *p;
	size_t n;

	p = frame_rest(f, &n);
	if (!frame_ok(f) || (stream != 1 && stream != 2))
		return -1;
	if (t == NULL || t->cut)
		return 0;
	if (link_room(t->asker->link) < n + TASK_ROOM) {
		t->cut = true;
		return 0;
	}
	out = client_begin(t->asker, AN_OUT);
	frame_put_u32(out, t->request);
	frame_put_u8(out, stream);
	frame_put_bytes(out, p, n);
	link_send(t->asker->link);
	return 0;
}

int
task_done(struct client *peer, struct frame *f)
{
	struct task *t = find_task(peer, frame_u32(f));
	uint8_t status = frame_u8(f);
	struct answer a;

	if (!frame_ok(f))
		return -1;
	if (t == NULL)
		return 0;
	a = answer_to(t);
	if (t->cut) {
		answer_out(&a, 2, "oobd: the rest of the answer was cut: it "
		    "was not read in time\n");
		status = status == ST_OK ? ST_FAILED : status;
	}
	answer_end(&a, status);
	free_task(t);
	return 0;
}

static void
tell_gone(const struct task *t)
{
	frame_put_u32(client_begin(t->peer, AN_TASK_GONE), t->id);
	link_send(t->peer->link);
}

void
task_cancel(struct client *asker, uint32_t request)
{
	struct task *t;

	for (t = asker->console->tasks; t != NULL; t = t->next) {
		if (t->asker == asker && t->request == request)
			break;
	}
	if (t == NULL)
		return;
	tell_gone(t);
	free_task(t);
}

static void
peer_lost(struct task *t)
{
	struct answer a = answer_to(t);

	answer_outf(&a, 2, "oobd: the %s process ended meanwhile, try again\n",
	    peer_name(t->peer->peer));
	answer_end(&a, ST_DOWN);
}

void
tasks_client_gone(struct client *c)
{
	struct task *next;

	for (struct task *t = c->console->tasks; t != NULL; t = next) {
		next = t->next;
		if (t->asker == c && t->peer != c)
			tell_gone(t);
		else if (t->peer == c && t->asker != c)
			peer_lost(t);
		else if (t->peer != c)
			continue;
		free_task(t);
	}
}
