/*
 * The queue: the input is a list of acts, one byte each with what it needs
 * behind: bytes from the modem, commands (with body, of a dial), timeouts,
 * cancelling, the port gone and back, subscriptions; and callbacks do some of
 * that, too.  Each command is told its end exactly once, what goes out are
 * whole commands only, and a hostile modem can add none.
 */
#include <stdlib.h>
#include <string.h>

#include "modem/at_queue.h"

#define COMMANDS 512

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct state;

struct sent {
	struct state *st;
	uint32_t id;
	unsigned done;
};

struct state {
	struct at_queue *q;
	struct sent sent[COMMANDS];
	size_t nsent;
	uint32_t urc[8];
	bool timer, full;
	unsigned mood;		/* what callbacks do next */
	unsigned depth;
};

static const char *const texts[] = { "AT", "AT+CSQ", "AT+CMGL=4", "ATI",
    "AT+CPIN=\"1234\"", "AT+CREG?" };
static const char *const prefixes[] = { NULL, "+CSQ:", "+CMGL:", "", NULL,
    "+CREG:" };

static int
op_write(void *arg, const void *p, size_t n)
{
	struct state *st = arg;
	const char *s = p;

	if (st->full)
		return -1;
	if (n == 0 || n > 1025)
		abort();
	/* ESC, ESC CR, CR, hex and ^Z, or a command and CR. */
	if (s[0] == '\033' || s[0] == '\r') {
		if (n > 2)
			abort();
	} else if (s[n - 1] == '\032') {
		if (strspn(s, "0123456789ABCDEF") != n - 1)
			abort();
	} else if (s[n - 1] != '\r' || memcmp(s, "AT", 2) != 0 ||
	    memchr(s, '\r', n) != s + n - 1)
		abort();
	return 0;
}

static void
op_timer(void *arg, int64_t ms)
{
	((struct state *)arg)->timer = ms >= 0;
}

static void
op_slow(void *arg, bool slow)
{
	(void)arg;
	(void)slow;
}

static bool mine(const char *);
static void send(struct state *, unsigned);

/* What a callback may do to the queue it was called by. */
static void
meddle(struct state *st)
{
	unsigned mood = st->mood;

	st->mood = mood / 7;
	if (st->depth > 4)
		return;
	st->depth++;
	switch (mood % 7) {
	case 1:
		send(st, mood / 7);
		break;
	case 2:
		if (st->nsent > 0)
			at_cancel(st->q, st->sent[mood % st->nsent].id);
		break;
	case 3:
		at_urc_remove(st->q, st->urc[mood % 8]);
		break;
	case 4:
		at_queue_detach(st->q);
		break;
	case 5:
		at_queue_detach(st->q);
		at_queue_attach(st->q);
		break;
	case 6:
		at_queue_resync(st->q);
		break;
	}
	st->depth--;
}

static void
op_synced(void *arg)
{
	meddle(arg);
}

static void
op_silent(void *arg, const char *why)
{
	if (why[0] == '\0')
		abort();
	meddle(arg);
}

static const struct at_queue_ops ops = { op_write, op_timer, op_slow,
    op_synced, op_silent };

static void
on_done(void *arg, const struct at_reply *r)
{
	struct sent *s = arg;
	size_t bytes = 0;

	if (++s->done > 1)
		abort();
	for (size_t i = 0; i < r->nlines; i++)
		bytes += strlen(r->lines[i]);
	if (bytes > AT_REPLY_MAX || at_result_text(r->result) == NULL ||
	    (r->body_written && !r->written))
		abort();
	meddle(s->st);
}

static void
on_urc(void *arg, const char *line, const char *body)
{
	if (line[0] == '\0' || (body != NULL && strlen(body) % 2 != 0))
		abort();
	meddle(arg);
}

static bool
mine(const char *line)
{
	return strchr(line, ',') != NULL;
}

static void
send(struct state *st, unsigned how)
{
	struct sent *s;
	unsigned kind = how % 6;
	struct at_command a = { .text = texts[kind], .prefix = prefixes[kind] };

	if (st->nsent == COMMANDS)
		return;
	if (kind == 5)
		a.mine = mine;
	if (how & 64)
		a.flags |= AT_FIRST;
	if ((how & 48) == 48) {
		a.text = "AT+CMGS=9";
		a.prefix = "+CMGS:";
		a.body = "0011000B91";
	} else if ((how & 48) == 32) {
		a.text = "ATD*99#";
		a.prefix = NULL;
		a.flags |= AT_DIAL;
	}
	s = &st->sent[st->nsent];
	*s = (struct sent){ .st = st };
	s->id = at_send(st->q, &a, on_done, s);
	if (s->id != 0)
		st->nsent++;
}

/* One act; returns how many bytes it used. */
static size_t
act(struct state *st, const uint8_t *p, size_t n)
{
	size_t len = 0;

	switch (p[0] >> 5) {
	case 0:
	case 1:
	case 2:
		len = p[0] & 0x7f;
		if (len > n - 1)
			len = n - 1;
		if (at_queue_input(st->q, p + 1, len) > len)
			abort();
		break;
	case 3:
		if (st->timer) {
			st->timer = false;
			at_queue_timeout(st->q);
		}
		break;
	case 4:
	case 5:
		len = n > 1;
		send(st, len == 1 ? p[1] : 0);
		break;
	case 6:
		if (p[0] & 16)
			at_queue_attach(st->q);
		else if (st->nsent > 0)
			at_cancel(st->q, st->sent[(p[0] & 15u) %
			    st->nsent].id);
		break;
	case 7:
		if (p[0] & 16)
			st->mood = (p[0] & 15u) * 2741u;
		else if (p[0] & 8)
			st->full = p[0] & 1;
		else if (at_urc_add(st->q, p[0] & 4 ? "+CMT" : "R", on_urc,
		    st) == 0 && n > 64)
			at_queue_detach(st->q);
		break;
	}
	return 1 + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct state st;
	size_t used;

	memset(&st, 0, sizeof(st));
	st.q = at_queue_new("fuzz", &ops, &st);
	at_queue_attach(st.q);
	for (size_t i = 0; i < 8; i++)
		st.urc[i] = at_urc_add(st.q, i % 2 ? "+CMT:" : "+CMTI:",
		    on_urc, &st);
	while (n > 0) {
		used = act(&st, p, n);
		p += used;
		n -= used;
	}
	st.mood = 0;
	at_queue_detach(st.q);
	for (size_t i = 0; i < st.nsent; i++)
		if (st.sent[i].done != 1)
			abort();
	at_queue_free(st.q);
	return 0;
}
