#include <sys/ioctl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../serial/port.h"
#include "../serial/typed.h"
#include "base/buf.h"
#include "base/mem.h"
#include "wire_internal.h"

#define OUT_RETRY_MS 5
#define AHEAD_PART 20		/* at most 1/20 s of the line is in the kernel */
#define AHEAD_LEAST 64
#define INPUT_EVENT_MS 1000	/* typed without a line end: journalled then */

struct source {
	struct wire *wire;
	struct source *next;
	char user[64];
	struct buf *queue;
	void (*taken)(void *arg, size_t n, bool dropped);
	void *arg;
	struct typed typed;
	bool hidden;			/* the user wants no record */
	struct timer *due;		/* typed bytes not yet journalled */
};

/* Journal what was typed: how much, and what, if that may be known. */
static void
journal_typed(struct source *s)
{
	const uint8_t *text;
	size_t n, total;

	timer_stop(s->due);
	text = typed_take(&s->typed, &n, &total);
	if (total == 0)
		return;
	if (!s->wire->conf->record_input || s->hidden || text == NULL)
		n = 0;
	scribe_input(s->wire->log, s->user, total, text, n);
}

static void
on_due(void *arg)
{
	journal_typed(arg);
}

static void
note_typed(struct source *s, const uint8_t *p, size_t n)
{
	size_t used;

	scribe_typing(s->wire->log);
	while (n > 0) {
		used = typed_add(&s->typed, p, n);
		if (s->typed.ended)
			journal_typed(s);
		p += used;
		n -= used;
	}
	if (s->typed.total > 0)
		timer_set_sooner(s->due, INPUT_EVENT_MS);
}

void
wire_out_echo(struct wire *w, const uint8_t *p, size_t n)
{
	for (struct source *s = w->sources; s != NULL; s = s->next) {
		if (s->typed.len > s->typed.echoed)
			typed_echo(&s->typed, p, n);
	}
}

/* How many bytes the kernel may be given now. */
static size_t
allowed(const struct wire *w)
{
	size_t ahead = line_rate(&w->line) / AHEAD_PART;
	int queued = 0;

	if (ahead < AHEAD_LEAST)
		ahead = AHEAD_LEAST;
	/* A pty queues nothing: it takes or it does not. */
	if (w->kind == PORT_UART &&
	    (ioctl(w->fd, TIOCOUTQ, &queued) == -1 || queued < 0))
		queued = 0;
	return (size_t)queued >= ahead ? 0 : ahead - (size_t)queued;
}

/* One piece from one source.  Returns bytes written, 0: not now, -1: gone. */
static ssize_t
write_piece(struct wire *w, struct source *s)
{
	size_t n = buf_len(s->queue), most = allowed(w);
	const uint8_t *p = buf_data(s->queue);
	ssize_t sent;

	if (n > most)
		n = most;
	if (n == 0)
		return 0;
	sent = write(w->fd, p, n);
	if (sent == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	w->sent += (size_t)sent;
	note_typed(s, p, (size_t)sent);
	buf_drop(s->queue, (size_t)sent);
	s->taken(s->arg, (size_t)sent, false);
	return sent;
}

static struct source *
next_source(struct wire *w)
{
	struct source *s = w->turn, *first;

	if (s == NULL)
		s = w->sources;
	first = s;
	while (s != NULL && buf_len(s->queue) == 0) {
		s = s->next != NULL ? s->next : w->sources;
		if (s == first)
			return NULL;
	}
	if (s != NULL)
		w->turn = s->next;
	return s;
}

void
wire_out_run(struct wire *w)
{
	struct source *s;
	ssize_t n;

	if (w->fd == -1 || w->breaking)
		return;
	while ((s = next_source(w)) != NULL) {
		n = write_piece(w, s);
		if (n > 0)
			continue;
		/* A dead device shows itself when it is read, too. */
		timer_set(w->out, OUT_RETRY_MS);
		return;
	}
}

void
wire_out_on_timer(void *arg)
{
	wire_out_run(arg);
}

void
wire_out_refuse(struct wire *w)
{
	for (struct source *s = w->sources; s != NULL; s = s->next)
		source_drop(s);
}

void
wire_out_stop(struct wire *w)
{
	for (struct source *s = w->sources; s != NULL; s = s->next)
		s->wire = NULL;
	w->sources = w->turn = NULL;
}

struct source *
source_new(struct wire *w, const char *user,
    void (*taken)(void *, size_t, bool), void *arg)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->wire = w;
	strncpy(s->user, user, sizeof(s->user) - 1);
	s->queue = buf_new(SOURCE_MAX);
	s->taken = taken;
	s->arg = arg;
	typed_init(&s->typed);
	s->due = timer_new(w->all->loop, on_due, s);
	s->next = w->sources;
	w->sources = s;
	return s;
}

void
source_free(struct source *s)
{
	struct source **at;

	if (s == NULL)
		return;
	if (s->wire != NULL) {
		journal_typed(s);
		for (at = &s->wire->sources; *at != s; at = &(*at)->next)
			continue;
		*at = s->next;
		if (s->wire->turn == s)
			s->wire->turn = NULL;
	}
	timer_free(s->due);
	buf_free(s->queue);
	free(s);
}

int
source_add(struct source *s, const void *p, size_t n)
{
	if (s->wire == NULL)
		return 0;
	if (buf_add(s->queue, p, n) == -1)
		return -1;
	if (s->wire->fd == -1)
		source_drop(s);
	else if (!timer_is_set(s->wire->out))
		wire_out_run(s->wire);
	return 0;
}

void
source_drop(struct source *s)
{
	size_t n = buf_len(s->queue);

	buf_clear(s->queue);
	if (n > 0)
		s->taken(s->arg, n, true);
}

void
source_set_hidden(struct source *s, bool hidden)
{
	s->hidden = hidden;
}

bool
source_hidden(const struct source *s)
{
	return s->hidden;
}

int
wire_break(struct wire *w, const char *user, int64_t ms)
{
	if (w->fd == -1) {
		errno = ENODEV;
		return -1;
	}
	if (w->breaking) {
		errno = EBUSY;
		return -1;
	}
	if (port_break(w->fd, true) == -1)
		return -1;
	w->breaking = true;
	timer_set(w->brk, ms);
	scribe_event(w->log, "break", "tx user=%s ms=%lld", user,
	    (long long)ms);
	return 0;
}

void
wire_out_on_break_over(void *arg)
{
	struct wire *w = arg;

	if (w->breaking && w->fd != -1)
		port_break(w->fd, false);
	w->breaking = false;
	wire_out_run(w);
}
