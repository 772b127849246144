#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "at_pending.h"
#include "at_queue.h"
#include "at_result.h"

#define QUIET_MS 300		/* silence before a resync asks */
#define QUIET_TURNS 40		/* how often the modem may break it */
#define PROBE_MS 1500
#define PROBE_ROUNDS 3
#define ABORT_MS 5000		/* for the result of a dial broken off */

enum state {
	ST_DETACHED,		/* no port */
	ST_IDLE,
	ST_ANSWER,		/* waits for the final result */
	ST_PROMPT,		/* waits for "> " */
	ST_QUIET,		/* resync: until nothing comes any more */
	ST_PROBE,		/* resync: our own question is out */
	ST_DATA,		/* behind CONNECT */
	ST_SILENT,		/* resync was in vain; waits for the owner */
};

struct urc {
	uint32_t id;		/* 0: removed, to be pruned */
	char *prefix;
	at_urc_fn *fn;
	void *arg;
};

struct at_queue {
	char *name;
	const struct at_queue_ops *ops;
	void *arg;
	enum state state;
	struct at_lex *lex;
	struct at_pending *waiting[AT_QUEUE_MAX];
	size_t nwaiting;
	struct at_pending *current;
	struct urc urcs[AT_URC_MAX];
	size_t nurcs;
	uint32_t next_id;
	unsigned timeouts;
	char *two_line;		/* a URC whose second line comes next */
	unsigned epoch;			/* counts ports */
	unsigned quiet_turns, round;
	bool probe_own;		/* the answer is to our question */
	unsigned depth;		/* callbacks we are inside of */
	bool dead;
};

/* What resync asks: an answer that no other command gives, then just OK. */
static const char probe_text[] = "AT+CMEE?", probe_prefix[] = "+CMEE:";
static const char plain_text[] = "AT";

/* Unsolicited codes with a second line (PDU mode). */
static const char *const two_lines[] = { "+CMT:", "+CDS:", "+CBM:" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Messages hold codes: of a line of hexadecimal only the length is told. */
static void
trace(const struct at_queue *q, const char *way, const char *line, bool hide)
{
	/* An echo can come at any time. */
	if (hide || strstr(line, "PIN=") != NULL ||
	    strstr(line, "CLCK=") != NULL || strstr(line, "CPWD=") != NULL)
		log_debug("%s %s (not shown)", q->name, way);
	else if (strlen(line) > 24 && at_is_hex(line))
		log_debug("%s %s (%zu hex digits)", q->name, way,
		    strlen(line));
	else
		log_debug("%s %s %s", q->name, way, line);
}

static void
change_state(struct at_queue *q, enum state state)
{
	q->state = state;
	at_lex_expect_prompt(q->lex, state == ST_PROMPT);
}

/* Callbacks run between these two; then, not before, things are freed. */
static void
enter(struct at_queue *q)
{
	q->depth++;
}

static void
prune_urcs(struct at_queue *q)
{
	size_t n = 0;

	for (size_t i = 0; i < q->nurcs; i++) {
		if (q->urcs[i].id == 0)
			free(q->urcs[i].prefix);
		else
			q->urcs[n++] = q->urcs[i];
	}
	q->nurcs = n;
}

static void
destroy(struct at_queue *q)
{
	for (size_t i = 0; i < q->nurcs; i++)
		free(q->urcs[i].prefix);
	for (size_t i = 0; i < q->nwaiting; i++)
		at_pending_free(q->waiting[i]);
	at_pending_free(q->current);
	at_lex_free(q->lex);
	free(q->two_line);
	free(q->name);
	free(q);
}

/* False when the queue is no more. */
static bool
leave(struct at_queue *q)
{
	bool dead = q->dead;

	if (--q->depth > 0)
		return !dead;
	if (dead)
		destroy(q);
	else
		prune_urcs(q);
	return !dead;
}

/* Tell the caller, unless the queue is no more. */
static void
conclude(struct at_queue *q, struct at_pending *c, enum at_result result,
    int code, const char *text)
{
	if (!q->dead)
		at_pending_conclude(c, result, code, text);
}

/*
 * Every command there is ends so, one by one: any callback may cancel one of
 * the others.  The state is one in which at_send takes none.
 */
static void
conclude_all(struct at_queue *q, enum at_result result)
{
	struct at_pending *c;

	while (q->current != NULL || q->nwaiting > 0) {
		c = q->current;
		q->current = NULL;
		if (c == NULL) {
			c = q->waiting[0];
			memmove(q->waiting, q->waiting + 1,
			    --q->nwaiting * sizeof(q->waiting[0]));
		}
		conclude(q, c, result, -1, "");
		at_pending_free(c);
	}
}

/* text and CR.  0 or -1. */
static int
write_line(struct at_queue *q, const char *text, bool hide)
{
	char line[AT_TEXT_MAX + 2];
	int n, r;

	n = snprintf(line, sizeof(line), "%s\r", text);
	trace(q, ">", text, hide);
	r = q->ops->write(q->arg, line, (size_t)n);
	if (hide)
		memset(line, 0, sizeof(line));
	return r;
}

static void
start_next(struct at_queue *q)
{
	struct at_pending *c;

	if (q->state != ST_IDLE || q->nwaiting == 0 || q->dead)
		return;
	c = q->waiting[0];
	memmove(q->waiting, q->waiting + 1,
	    --q->nwaiting * sizeof(q->waiting[0]));
	q->current = c;
	change_state(q, c->body != NULL ? ST_PROMPT : ST_ANSWER);
	if (q->ops->slow != NULL && (c->flags & AT_DIAL))
		q->ops->slow(q->arg, true);
	c->written = write_line(q, c->text, c->flags & AT_SECRET) == 0;
	/* A port that takes nothing is a modem that does not answer. */
	q->ops->timer(q->arg, !c->written ? 0 : c->body != NULL ?
	    c->prompt_ms : c->timeout_ms);
}

/*
 * ESC leaves a prompt, CR ends whatever half a line the modem has; what it
 * says to that, and all late answers, is let pass until it is quiet.
 */
static void
resync(struct at_queue *q)
{
	at_lex_reset(q->lex);
	free(q->two_line);
	q->two_line = NULL;
	q->quiet_turns = q->round = 0;
	change_state(q, ST_QUIET);
	q->ops->write(q->arg, "\033\r", 2);
	q->ops->timer(q->arg, QUIET_MS);
}

/* The current command is over; the state says what comes now. */
static void
finish(struct at_queue *q, enum at_result result, int code, const char *text)
{
	struct at_pending *c = q->current;

	if (c == NULL)
		return;
	q->current = NULL;
	q->ops->timer(q->arg, -1);
	if (result == AT_TIMEOUT)
		q->timeouts++;
	else
		q->timeouts = 0;
	if (result == AT_CONNECT)
		change_state(q, ST_DATA);
	else if (q->ops->slow != NULL && (c->flags & AT_DIAL))
		q->ops->slow(q->arg, false);
	if (result == AT_TIMEOUT)
		resync(q);
	else if (result != AT_CONNECT)
		change_state(q, ST_IDLE);
	/* Those that wait cannot have their turn before the call is over. */
	if (result == AT_CONNECT)
		conclude_all(q, AT_GONE);
	conclude(q, c, result, code, text);
	at_pending_free(c);
	start_next(q);
}

static void
ask(struct at_queue *q)
{
	bool last = q->round == PROBE_ROUNDS - 1;

	q->probe_own = last;
	change_state(q, ST_PROBE);
	if (write_line(q, last ? plain_text : probe_text, false) == -1)
		q->round = PROBE_ROUNDS;
	q->ops->timer(q->arg, q->round < PROBE_ROUNDS ? PROBE_MS : 0);
}

static void
give_up(struct at_queue *q, const char *why)
{
	change_state(q, ST_SILENT);
	q->ops->timer(q->arg, -1);
	conclude_all(q, AT_GONE);
	if (!q->dead)
		q->ops->silent(q->arg, why);
}

static void
probe_line(struct at_queue *q, const char *line)
{
	enum at_result result;
	int code;

	if (at_has_prefix(line, probe_prefix)) {
		q->probe_own = true;
		return;
	}
	/* A result without our information may be of an older command. */
	if (!at_result_parse(line, false, true, &result, &code) ||
	    !q->probe_own)
		return;
	q->ops->timer(q->arg, -1);
	change_state(q, ST_IDLE);
	q->ops->synced(q->arg);
	start_next(q);
}

/* True when somebody had subscribed to it. */
static bool
deliver(struct at_queue *q, const char *line, const char *body)
{
	size_t n = q->nurcs;
	bool any = false;

	for (size_t i = 0; i < n && !q->dead; i++) {
		if (q->urcs[i].id == 0 || !at_has_prefix(line, q->urcs[i].prefix))
			continue;
		any = true;
		q->urcs[i].fn(q->urcs[i].arg, line, body);
	}
	return any;
}

/* The first line of two waits for its second. */
static bool
begin_two(struct at_queue *q, const char *line)
{
	for (size_t i = 0; i < COUNT(two_lines); i++) {
		if (!at_has_prefix(line, two_lines[i]))
			continue;
		q->two_line = xstrdup(line);
		return true;
	}
	return false;
}

static void
end_two(struct at_queue *q, const char *body)
{
	char *line = q->two_line;

	q->two_line = NULL;
	deliver(q, line, body);
	freezero(line, strlen(line));
}

/* A line while a command is under way. */
static void
answer_line(struct at_queue *q, const struct at_token *t)
{
	struct at_pending *c = q->current;
	enum at_result result;
	int code;

	if (at_pending_is_echo(c, t->text))
		return;
	if (at_result_parse(t->text, c->flags & AT_DIAL, c->prefix == NULL,
	    &result, &code)) {
		if (result == AT_CONNECT && c->cancelled) {
			give_up(q, "connected after the call was given up");
			return;
		}
		/* OK instead of a prompt: the command did nothing. */
		if (q->state == ST_PROMPT && result == AT_OK)
			result = AT_ERROR;
		finish(q, result, code, t->text);
	} else if (at_pending_is_own(c, t)) {
		c->own = true;
		at_pending_gather(c, t->text);
	} else if (begin_two(q, t->text) || deliver(q, t->text, NULL)) {
		return;
	} else if (at_pending_is_any(c, t->text)) {
		at_pending_gather(c, t->text);
	} else
		log_debug("%s: that is ignored", q->name);
}

static void
take_line(struct at_queue *q, const struct at_token *t)
{
	trace(q, "<", t->text, q->current != NULL &&
	    (q->current->flags & AT_SECRET) &&
	    at_pending_is_echo(q->current, t->text));
	if (q->two_line != NULL) {
		end_two(q, t->hex ? t->text : NULL);
		if (t->hex || q->dead)
			return;
	}
	switch (q->state) {
	case ST_ANSWER:
	case ST_PROMPT:
		/* Never written: nothing can be its answer. */
		if (q->current != NULL && q->current->written)
			answer_line(q, t);
		else if (!begin_two(q, t->text))
			deliver(q, t->text, NULL);
		break;
	case ST_PROBE:
		if (at_has_prefix(t->text, probe_prefix) ||
		    !(begin_two(q, t->text) || deliver(q, t->text, NULL)))
			probe_line(q, t->text);
		break;
	case ST_IDLE:
	case ST_QUIET:
	case ST_SILENT:
		if (!begin_two(q, t->text))
			deliver(q, t->text, NULL);
		break;
	case ST_DETACHED:
	case ST_DATA:
		break;
	}
}

static void
take_prompt(struct at_queue *q)
{
	struct at_pending *c = q->current;
	char *body;
	size_t n;

	if (q->state != ST_PROMPT || !c->written)
		return;
	change_state(q, ST_ANSWER);
	if (c->cancelled) {
		q->ops->write(q->arg, "\033", 1);
		return;
	}
	/* No CR behind: some modems take it for the next command. */
	n = strlen(c->body);
	body = xmalloc(n + 2);
	memcpy(body, c->body, n);
	memcpy(body + n, "\032", 2);
	trace(q, ">", c->body, c->flags & AT_SECRET);
	c->body_written = q->ops->write(q->arg, body, n + 1) == 0;
	freezero(body, n + 2);
	q->ops->timer(q->arg, c->body_written ? c->timeout_ms : 0);
}

static void
take_token(struct at_queue *q, const struct at_token *t)
{
	switch (t->kind) {
	case AT_LINE:
		take_line(q, t);
		break;
	case AT_PROMPT:
		take_prompt(q);
		break;
	case AT_LONG:
	case AT_JUNK:
		log_debug("%s: a line of %zu bytes or more dropped", q->name,
		    t->len);
		break;
	case AT_NONE:
		break;
	}
}

size_t
at_queue_input(struct at_queue *q, const uint8_t *p, size_t n)
{
	unsigned epoch = q->epoch;
	struct at_token t;
	size_t used = 0;

	enter(q);
	if (q->state == ST_QUIET && n > 0 && q->quiet_turns++ < QUIET_TURNS)
		q->ops->timer(q->arg, QUIET_MS);
	while (used < n && !q->dead && q->state != ST_DATA &&
	    q->epoch == epoch) {
		used += at_lex_next(q->lex, p + used, n - used, &t);
		take_token(q, &t);
	}
	/* What is left of a port that is gone is nobody's. */
	if (q->epoch != epoch)
		used = n;
	leave(q);
	return used;
}

void
at_queue_timeout(struct at_queue *q)
{
	enter(q);
	switch (q->state) {
	case ST_ANSWER:
	case ST_PROMPT:
		finish(q, AT_TIMEOUT, -1, "");
		break;
	case ST_QUIET:
		ask(q);
		break;
	case ST_PROBE:
		if (++q->round < PROBE_ROUNDS)
			ask(q);
		else
			give_up(q, "it does not answer AT");
		break;
	case ST_IDLE:
	case ST_DATA:
	case ST_DETACHED:
	case ST_SILENT:
		break;
	}
	leave(q);
}

struct at_queue *
at_queue_new(const char *name, const struct at_queue_ops *ops, void *arg)
{
	struct at_queue *q = xcalloc(1, sizeof(*q));

	q->name = xstrdup(name);
	q->ops = ops;
	q->arg = arg;
	q->lex = at_lex_new(AT_LAX);
	q->state = ST_DETACHED;
	return q;
}

void
at_queue_free(struct at_queue *q)
{
	if (q == NULL)
		return;
	q->dead = true;
	if (q->depth == 0)
		destroy(q);
}

static void
start_over(struct at_queue *q)
{
	enter(q);
	if (q->current != NULL)
		finish(q, AT_TIMEOUT, -1, "");
	else {
		if (q->ops->slow != NULL)
			q->ops->slow(q->arg, false);
		resync(q);
	}
	leave(q);
}

void
at_queue_attach(struct at_queue *q)
{
	q->timeouts = 0;
	q->epoch++;
	start_over(q);
}

void
at_queue_resync(struct at_queue *q)
{
	if (q->state != ST_DETACHED)
		start_over(q);
}

void
at_queue_detach(struct at_queue *q)
{
	if (q->state == ST_DETACHED)
		return;
	enter(q);
	change_state(q, ST_DETACHED);
	q->epoch++;
	at_lex_reset(q->lex);
	free(q->two_line);
	q->two_line = NULL;
	q->ops->timer(q->arg, -1);
	conclude_all(q, AT_GONE);
	leave(q);
}

bool
at_queue_attached(const struct at_queue *q)
{
	return q->state != ST_DETACHED;
}

bool
at_queue_works(const struct at_queue *q)
{
	return q->state != ST_DETACHED && q->state != ST_DATA &&
	    q->state != ST_SILENT;
}

bool
at_queue_in_data(const struct at_queue *q)
{
	return q->state == ST_DATA;
}

size_t
at_queue_len(const struct at_queue *q)
{
	return q->nwaiting + (q->current != NULL);
}

unsigned
at_queue_timeouts(const struct at_queue *q)
{
	return q->timeouts;
}

static uint32_t
new_id(struct at_queue *q)
{
	if (++q->next_id == 0)
		q->next_id = 1;
	return q->next_id;
}

uint32_t
at_send(struct at_queue *q, const struct at_command *a, at_done_fn *done,
    void *arg)
{
	struct at_pending *c;
	size_t at = q->nwaiting;
	uint32_t id;

	if (q->dead || !at_queue_works(q) || q->nwaiting == AT_QUEUE_MAX ||
	    !at_pending_may(a))
		return 0;
	id = new_id(q);
	c = at_pending_new(a, id, done, arg);
	if (a->flags & AT_FIRST)
		at = 0;
	memmove(q->waiting + at + 1, q->waiting + at,
	    (q->nwaiting - at) * sizeof(q->waiting[0]));
	q->waiting[at] = c;
	q->nwaiting++;
	start_next(q);
	return id;
}

/* The one under way: nobody waits any more, but the modem still answers. */
static void
cancel_current(struct at_queue *q)
{
	struct at_pending *c = q->current;

	c->cancelled = true;
	if (q->state == ST_PROMPT)
		q->ops->write(q->arg, "\033", 1);
	else if (c->flags & AT_DIAL) {
		/* V.250 5.6.1: any character breaks off a dial. */
		q->ops->write(q->arg, "\r", 1);
		q->ops->timer(q->arg, ABORT_MS);
	}
	conclude(q, c, AT_CANCELLED, -1, "");
}

bool
at_cancel(struct at_queue *q, uint32_t id)
{
	struct at_pending *c;
	size_t i;

	if (id == 0)
		return false;
	for (i = 0; i < q->nwaiting && q->waiting[i]->id != id; i++)
		continue;
	if (i == q->nwaiting) {
		if (q->current == NULL || q->current->id != id ||
		    q->current->cancelled)
			return false;
		enter(q);
		cancel_current(q);
		leave(q);
		return true;
	}
	c = q->waiting[i];
	memmove(q->waiting + i, q->waiting + i + 1,
	    (--q->nwaiting - i) * sizeof(q->waiting[0]));
	enter(q);
	conclude(q, c, AT_CANCELLED, -1, "");
	at_pending_free(c);
	leave(q);
	return true;
}

uint32_t
at_urc_add(struct at_queue *q, const char *prefix, at_urc_fn *fn, void *arg)
{
	if (q->depth == 0)
		prune_urcs(q);
	if (q->nurcs == AT_URC_MAX)
		return 0;
	q->urcs[q->nurcs++] = (struct urc){ .id = new_id(q),
	    .prefix = xstrdup(prefix), .fn = fn, .arg = arg };
	return q->urcs[q->nurcs - 1].id;
}

void
at_urc_remove(struct at_queue *q, uint32_t id)
{
	for (size_t i = 0; id != 0 && i < q->nurcs; i++)
		if (q->urcs[i].id == id)
			q->urcs[i].id = 0;
	if (q->depth == 0)
		prune_urcs(q);
}
