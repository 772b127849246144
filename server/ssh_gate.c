#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../auth/digest.h"
#include "../auth/secret.h"
#include "../auth/voucher.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "gate.h"
#include "proto.h"
#include "ssh_auth.h"
#include "ssh_gate.h"

#define PLACES 1024		/* a power of 2 */
#define FORGET_MS (60 * 60 * 1000)
#define ANSWER_MAX 512
#define AGAIN_MS 250		/* until a gate that could not be started is tried */

enum state {
	WAITING,		/* for a gate that is free */
	STARTING,		/* the supervisor was asked */
	ASKED,
	ANSWERED,		/* but it is not yet time to say so */
};

struct words {
	bool with_password;
	char password[GATE_TEXT], code[GATE_TEXT];
};

struct entry {
	struct entry *next;
	struct ssh_gate *gate;
	uint32_t id;
	uint32_t request;		/* number it was asked for by, last */
	enum state state;
	bool typed;			/* not a key alone */
	char user[SSH_AUTH_NAME];
	char from[INET6_ADDRSTRLEN];
	size_t place;			/* of its name among the slow ones */
	struct words *words;	/* NULL: wiped, or nothing was typed */
	struct ssh_proof proof;
	ssh_gate_fn *fn;
	void *arg;
	struct mono since;
	int fd;			/* to the gate, -1 */
	struct watch *watch;
	struct timer *timer;	/* no answer by then, or: say it now */
	bool yes;
	char why[GATE_WHY];
	char voucher[VOUCHER_TEXT];
};

/* How often it was wrong lately for the names that have this place. */
struct slow {
	unsigned wrong;
	struct mono at;
};

/* A gate that has answered: until it has ended it has its memory. */
struct leaving {
	struct ssh_gate *gate;
	bool typed;
	int fd;			/* -1: this place is free */
	struct watch *watch;
};

struct ssh_gate {
	struct loop *loop;
	struct link *up;
	struct leaving leaving[2 * GATES_MAX];
	struct entry *first;
	struct timer *soon;	/* to start what waits */
	uint32_t last_id, last_request;
	uint8_t key[16];		/* nobody can choose the place of a name */
	struct slow slow[PLACES];
};

/* The oldest of its kind that waits, if it may begin. */
static struct entry *
next_of(const struct ssh_gate *g, bool typed)
{
	struct entry *next = NULL;
	unsigned busy = 0;

	/* New ones are put in front: the last that waits is the oldest. */
	for (struct entry *e = g->first; e != NULL; e = e->next) {
		if (e->typed != typed)
			continue;
		busy += e->state == STARTING || e->state == ASKED;
		if (e->state == WAITING)
			next = e;
	}
	for (size_t i = 0; i < 2 * GATES_MAX; i++)
		busy += g->leaving[i].fd != -1 &&
		    g->leaving[i].typed == typed;
	return busy < GATES_MAX ? next : NULL;
}

static void
start_some(void *arg)
{
	struct ssh_gate *g = arg;
	struct entry *next = next_of(g, false);

	if (next == NULL)
		next = next_of(g, true);
	if (next == NULL || g->up == NULL)
		return;
	next->state = STARTING;
	/* Once more is not again: each has a number of its own. */
	next->request = ++g->last_request;
	frame_put_u32(link_start(g->up, UP_GATE), next->request);
	link_send(g->up);
	link_flush(g->up);
	timer_set(g->soon, 0);
}

struct ssh_gate *
ssh_gate_new(struct loop *loop)
{
	struct ssh_gate *g = xcalloc(1, sizeof(*g));

	g->loop = loop;
	g->soon = timer_new(loop, start_some, g);
	for (size_t i = 0; i < 2 * GATES_MAX; i++)
		g->leaving[i] = (struct leaving){ .gate = g, .fd = -1 };
	os_random(g->key, sizeof(g->key));
	return g;
}

void
ssh_gate_link(struct ssh_gate *g, struct link *up)
{
	g->up = up;
}

static void
left(struct leaving *l)
{
	if (l->fd == -1)
		return;
	watch_free(l->watch);
	close(l->fd);
	l->fd = -1;
	timer_set(l->gate->soon, 0);
}

static void
on_left(void *arg, short revents)
{
	struct leaving *l = arg;
	uint8_t more[ANSWER_MAX];
	ssize_t n = read(l->fd, more, sizeof(more));

	(void)revents;
	if (n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN))
		left(l);
}

/* The supervisor sees to it that it ends. */
static void
let_leave(struct entry *e)
{
	struct leaving *l = e->gate->leaving;

	watch_free(e->watch);
	e->watch = NULL;
	for (size_t i = 0; i < 2 * GATES_MAX && e->fd != -1; i++, l++) {
		if (l->fd != -1)
			continue;
		l->fd = e->fd;
		l->typed = e->typed;
		l->watch = watch_new(e->gate->loop, l->fd, POLLIN, on_left,
		    l);
		e->fd = -1;
	}
}

static void
wipe(struct entry *e)
{
	secret_free(e->words);
	e->words = NULL;
	ssh_proof_free(&e->proof);
}

/* Takes it out of the list. */
static void
free_entry(struct entry *e)
{
	struct entry **at = &e->gate->first;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	watch_free(e->watch);
	timer_free(e->timer);
	if (e->fd != -1)
		close(e->fd);
	wipe(e);
	freezero(e, sizeof(*e));
}

void
ssh_gate_free(struct ssh_gate *g)
{
	if (g == NULL)
		return;
	while (g->first != NULL)
		free_entry(g->first);
	for (size_t i = 0; i < 2 * GATES_MAX; i++)
		left(&g->leaving[i]);
	timer_free(g->soon);
	free(g);
}

static struct entry *
find(const struct ssh_gate *g, uint32_t id)
{
	struct entry *e = g->first;

	while (e != NULL && e->id != id)
		e = e->next;
	return e;
}

static size_t
place_of(const struct ssh_gate *g, const char *name)
{
	const struct digest_piece pieces[] = {
		{ g->key, sizeof(g->key) }, { name, strlen(name) },
	};
	uint8_t out[DIGEST_LEN];

	digest(out, pieces, 2);
	return ((size_t)out[0] << 8 | out[1]) % PLACES;
}

static bool
is_slow(const struct ssh_gate *g, size_t place)
{
	const struct slow *s = &g->slow[place];

	return s->wrong >= SSH_GATE_WRONG &&
	    mono_ms(s->at, loop_now(g->loop)) < FORGET_MS;
}

static void
note_result(struct ssh_gate *g, size_t place, bool yes)
{
	struct slow *s = &g->slow[place];

	if (yes || mono_ms(s->at, loop_now(g->loop)) >= FORGET_MS)
		s->wrong = 0;
	if (!yes)
		s->wrong++;
	s->at = loop_now(g->loop);
}

static void
say(struct entry *e)
{
	struct ssh_gate *g = e->gate;
	ssh_gate_fn *fn = e->fn;
	void *arg = e->arg;
	char why[GATE_WHY], voucher[VOUCHER_TEXT];
	const struct ssh_gate_verdict v = { e->yes, why, voucher };

	memcpy(why, e->why, sizeof(why));
	memcpy(voucher, e->voucher, sizeof(voucher));
	if (e->typed)
		note_result(g, e->place, e->yes);
	free_entry(e);
	fn(arg, &v);
	explicit_bzero(voucher, sizeof(voucher));
	timer_set(g->soon, 0);
}

/* When to say so, in ms after the question. */
static int64_t
least_ms(const struct entry *e, bool yes)
{
	if (!e->typed)
		return 0;
	return is_slow(e->gate, e->place) ? SSH_GATE_SLOW_MS :
	    yes ? 0 : SSH_GATE_LEAST_MS;
}

/* The gate is done, or will not be. */
static void
decide(struct entry *e, bool yes, const char *why)
{
	int64_t least = least_ms(e, yes);
	int64_t gone = mono_ms(e->since, loop_now(e->gate->loop));

	e->state = ANSWERED;
	e->yes = yes;
	snprintf(e->why, sizeof(e->why), "%s", why);
	wipe(e);
	watch_free(e->watch);
	e->watch = NULL;
	if (e->fd != -1)
		close(e->fd);
	e->fd = -1;
	timer_set(e->timer, least > gone ? least - gone : 0);
	timer_set(e->gate->soon, 0);
}

static void
on_timer(void *arg)
{
	struct entry *e = arg;

	switch (e->state) {
	case WAITING:
	case STARTING:
	case ASKED:
		decide(e, false, "no answer from the gate");
		break;
	case ANSWERED:
		say(e);
		break;
	}
}

static void
on_answer(void *arg, short revents)
{
	struct entry *e = arg;
	uint8_t in[ANSWER_MAX];
	char why[GATE_WHY];
	struct frame f;
	size_t used;
	ssize_t n = read(e->fd, in, sizeof(in));
	bool yes;

	(void)revents;
	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	/* It comes in one piece: the gate writes it at once. */
	if (n <= 0 || frame_parse(in, (size_t)n, &f, &used) != 1 ||
	    f.type != GT_ANSWER) {
		decide(e, false, "the gate broke");
		return;
	}
	yes = frame_u8(&f) != 0;
	frame_str(&f, why, sizeof(why));
	frame_str(&f, e->voucher, sizeof(e->voucher));
	explicit_bzero(in, sizeof(in));
	let_leave(e);
	if (frame_ok(&f))
		decide(e, yes, why);
	else
		decide(e, false, "the gate broke");
}

static const char *
text_or_none(const char *text)
{
	return text == NULL ? "" : text;
}

/* Straight to the socket: no queue keeps a copy. */
static bool
send_question(struct entry *e)
{
	struct frame_out *out = xmalloc(sizeof(*out));
	bool sent;

	frame_start(out, GT_ASK);
	frame_put_str(out, e->user);
	frame_put_str(out, e->from);
	frame_put_u8(out, e->typed && e->words->with_password);
	frame_put_str(out, e->typed ? e->words->password : "");
	frame_put_str(out, e->typed ? e->words->code : "");
	frame_put_str(out, text_or_none(e->proof.data));
	frame_put_str(out, text_or_none(e->proof.made));
	frame_put_str(out, text_or_none(e->proof.sig));
	sent = frame_finish(out, 0) == 0 &&
	    send(e->fd, out->block, out->len, MSG_NOSIGNAL) ==
	    (ssize_t)out->len;
	freezero(out, sizeof(*out));
	wipe(e);
	return sent;
}

static struct entry *
find_started(const struct ssh_gate *g, uint32_t request)
{
	struct entry *e = g->first;

	while (e != NULL && (e->state != STARTING || e->request != request))
		e = e->next;
	return e;
}

void
ssh_gate_take(struct ssh_gate *g, uint32_t request, int fd)
{
	struct entry *e = find_started(g, request);

	if (e == NULL) {
		if (fd != -1)
			close(fd);	/* the gate ends without a question */
		return;
	}
	if (fd == -1 && !e->typed) {
		/* The box has its hands full; who has the key is let in. */
		e->state = WAITING;
		timer_set(g->soon, AGAIN_MS);
		return;
	}
	if (fd == -1) {
		decide(e, false, "the gate cannot be started");
		return;
	}
	fd_prepare(fd);
	e->fd = fd;
	e->state = ASKED;
	if (!send_question(e)) {
		decide(e, false, "the gate takes no question");
		return;
	}
	e->watch = watch_new(g->loop, fd, POLLIN, on_answer, e);
}

static void
copy_words(struct entry *e, const struct ssh_gate_question *q)
{
	e->words = secret_new(sizeof(*e->words));
	e->words->with_password = q->password != NULL;
	/* What is too long is wrong, and need not arrive whole. */
	snprintf(e->words->password, sizeof(e->words->password), "%s",
	    text_or_none(q->password));
	snprintf(e->words->code, sizeof(e->words->code), "%s", q->code);
}

static void
copy_proof(struct entry *e, const struct ssh_proof *proof)
{
	e->proof = (struct ssh_proof){ xstrdup(proof->data),
	    xstrdup(proof->made), xstrdup(proof->sig) };
}

uint32_t
ssh_gate_ask(struct ssh_gate *g, const struct ssh_gate_question *q,
    ssh_gate_fn *fn, void *arg)
{
	struct entry *e = xcalloc(1, sizeof(*e));
	const uint32_t id = g->last_id == UINT32_MAX ? 1 : g->last_id + 1;

	g->last_id = id;
	e->gate = g;
	e->id = id;
	e->fd = -1;
	e->fn = fn;
	e->arg = arg;
	e->since = loop_now(g->loop);
	e->place = place_of(g, q->name);
	e->typed = q->code != NULL;
	if (e->typed)
		copy_words(e, q);
	if (q->proof != NULL && q->proof->data != NULL)
		copy_proof(e, q->proof);
	snprintf(e->user, sizeof(e->user), "%s", q->user);
	snprintf(e->from, sizeof(e->from), "%s", q->from);
	e->timer = timer_new(g->loop, on_timer, e);
	timer_set(e->timer, GATE_LIMIT_MS);
	e->next = g->first;
	g->first = e;
	timer_set(g->soon, 0);
	return id;
}

void
ssh_gate_cancel(struct ssh_gate *g, uint32_t id)
{
	struct entry *e = find(g, id);

	if (e == NULL)
		return;
	free_entry(e);
	timer_set(g->soon, 0);
}
