#include <sys/types.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "feed_internal.h"

#define READER_OUT_MAX (2 * (FRAME_HEAD + FRAME_MAX))
#define HELD_HEAD 5		/* u8 stream, u32 bytes */

enum request_state {
	REQUEST_OPEN,
	REQUEST_ENDING,		/* the end came, bytes are still held */
	REQUEST_ENDED,		/* told; no longer in the feed's list */
};

struct feed_request {
	struct feed *feed;
	struct feed_request *next;
	uint32_t id;
	uint32_t sid;		/* of its session, 0: none */
	enum request_state state;
	const struct feed_request_ops *ops;
	void *arg;
	struct link *reader;
	char *what;		/* it reads, or read; NULL: there was none */
	struct buf *held;	/* pieces not yet taken: head and bytes */
	const char *failure;	/* never sent, because of this */
	int status;
	uint64_t offset;
	unsigned columns, rows;
	bool resized;		/* before the reader was there */
	bool cut;		/* more was said than could be held */
	bool freed;		/* given up: no more calls */
};

static struct feed_request *
request_with_id(const struct feed *f, uint32_t id)
{
	struct feed_request *r = f->requests;

	while (r != NULL && r->id != id)
		r = r->next;
	return r;
}

static void
forget(struct feed_request *r)
{
	struct feed_request **p = &r->feed->requests;

	while (*p != NULL && *p != r)
		p = &(*p)->next;
	if (*p == r)
		*p = r->next;
}

static void
change_state(struct feed_request *r, enum request_state to)
{
	r->state = to;
	if (to != REQUEST_ENDED)
		return;
	forget(r);
	link_free(r->reader);
	r->reader = NULL;
	r->ops->end(r->arg, r->cut && r->status == ST_OK ? ST_FAILED :
	    r->status, r->offset);
}

static void
put_u32(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static size_t
get_u32(const uint8_t *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
	    p[3];
}

static void
hold(struct feed_request *r, int stream, const uint8_t *p, size_t n)
{
	uint8_t head[HELD_HEAD] = { (uint8_t)stream };

	if (r->held == NULL)
		r->held = buf_new(FEED_HELD_MAX);
	if (buf_room(r->held) < n + HELD_HEAD) {
		r->cut = true;
		return;
	}
	put_u32(head + 1, n);
	buf_add(r->held, head, sizeof(head));
	buf_add(r->held, p, n);
	/* A reader can wait; the console process cannot. */
	if (r->reader != NULL)
		link_hold(r->reader, true);
}

static bool
is_held(const struct feed_request *r)
{
	return r->held != NULL && buf_len(r->held) > 0;
}

static void
give(struct feed_request *r, int stream, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t taken = 0;

	if (n == 0)
		return;
	if (!is_held(r))
		taken = r->ops->out(r->arg, stream, p, n);
	if (taken < n && !r->freed)
		hold(r, stream, p + taken, n - taken);
}

/* Offer what is held; the rest of a piece becomes a piece of its own. */
static void
give_held(struct feed_request *r)
{
	while (!r->freed && is_held(r)) {
		const uint8_t *p = buf_data(r->held);
		int stream = p[0];
		size_t n = get_u32(p + 1);
		size_t taken = r->ops->out(r->arg, stream, p + HELD_HEAD, n);

		if (r->freed || taken == 0)
			return;
		if (taken == n) {
			buf_drop(r->held, HELD_HEAD + n);
			continue;
		}
		/* Write the head of the rest over the end of what went. */
		buf_drop(r->held, taken);
		p = buf_data(r->held);
		((uint8_t *)(uintptr_t)p)[0] = (uint8_t)stream;
		put_u32((uint8_t *)(uintptr_t)p + 1, n - taken);
	}
}

static void
finish(struct feed_request *r, int status, uint64_t offset)
{
	if (r->state != REQUEST_OPEN)
		return;
	r->status = status;
	r->offset = offset;
	change_state(r, is_held(r) ? REQUEST_ENDING : REQUEST_ENDED);
}

static void
fail(struct feed_request *r, const char *why)
{
	if (r->state != REQUEST_OPEN)
		return;
	give(r, 2, "oobd: ", 6);
	if (!r->freed)
		give(r, 2, why, strlen(why));
	if (!r->freed)
		give(r, 2, "\n", 1);
	if (!r->freed)
		finish(r, ST_FAILED, 0);
}

/* In the middle of what it had to say, unless it has said it. */
static void
cut_reader(struct feed_request *r)
{
	if (r->state != REQUEST_OPEN)
		return;
	link_free(r->reader);
	r->reader = NULL;
	if (r->ops->torn != NULL)
		r->ops->torn(r->arg);
}

/* AN_OUT and AN_END, whichever way they came. */
static int
on_answer(struct feed_request *r, struct frame *fr)
{
	if (fr->type == AN_OUT) {
		int stream = frame_u8(fr);
		size_t n;
		const uint8_t *p = frame_rest(fr, &n);

		if (!frame_ok(fr) || (stream != 1 && stream != 2))
			return -1;
		if (r->state == REQUEST_OPEN)
			give(r, stream, p, n);
		return 0;
	}
	if (fr->type == AN_END) {
		int status = frame_u8(fr);
		uint64_t offset = frame_u64(fr);

		if (!frame_ok(fr))
			return -1;
		finish(r, status, offset);
		return 0;
	}
	return -1;
}

static int
on_reader_frame(void *arg, struct frame *fr, int fd)
{
	struct feed_request *r = arg;
	struct feed *f = r->feed;
	int result;

	if (fd != -1)
		close(fd);
	(void)frame_u32(fr);		/* request: always 0 here */
	feed_enter(f);
	result = on_answer(r, fr);
	feed_leave(f);
	return result;
}

static void
on_reader_down(void *arg, const char *why)
{
	struct feed_request *r = arg;
	struct feed *f = r->feed;

	log_debug("feed: reader of request %u: %s", r->id, why);
	feed_enter(f);
	cut_reader(r);
	if (!r->freed)
		fail(r, "the reader process ended early");
	feed_leave(f);
}

static const struct link_ops reader_ops = {
	on_reader_frame, on_reader_down, NULL
};

static void
on_reader(struct feed_request *r, const char *what, int fd)
{
	r->what = xstrdup(what);
	r->reader = link_new(r->feed->loop, fd, READER_OUT_MAX, &reader_ops, r);
	if (r->resized)
		feed_request_size(r, r->columns, r->rows);
}

static int
on_given_reader(struct feed_request *r, struct frame *fr, int fd)
{
	char what[WORD_BYTES];

	if (fd == -1)
		return -1;
	frame_str(fr, what, sizeof(what));
	if (frame_ok(fr) && r != NULL && r->what == NULL &&
	    r->state == REQUEST_OPEN)
		on_reader(r, what, fd);
	else
		close(fd);
	return frame_ok(fr) ? 0 : -1;
}

int
feed_request_frame(struct feed *f, struct frame *fr, int fd)
{
	struct feed_request *r = request_with_id(f, frame_u32(fr));

	if (fr->type == AN_READER)
		return on_given_reader(r, fr, fd);
	/* Given up meanwhile. */
	if (r == NULL)
		return 0;
	/* The right to read has ended: nothing more comes from there. */
	if (r->reader != NULL)
		cut_reader(r);
	return r->freed ? 0 : on_answer(r, fr);
}

/* Calls fn for each, which may give up this one or others. */
static void
each(struct feed *f, bool (*wanted)(const struct feed_request *),
    void (*fn)(struct feed_request *))
{
	struct feed_request *r = f->requests;

	while (r != NULL) {
		if (!wanted(r)) {
			r = r->next;
			continue;
		}
		fn(r);
		r = f->requests;	/* fn made it unwanted */
	}
}

static bool
hangs_on_the_link(const struct feed_request *r)
{
	return r->reader == NULL && r->state == REQUEST_OPEN;
}

static void
fail_link(struct feed_request *r)
{
	fail(r, "the console process went away; try again");
}

void
feed_request_link_down_all(struct feed *f)
{
	each(f, hangs_on_the_link, fail_link);
}

/* A new console process is told what it has not started itself. */
void
feed_request_retell_all(struct feed *f)
{
	struct frame_out *o;

	for (struct feed_request *r = f->requests; r != NULL; r = r->next) {
		if (r->reader == NULL || r->state != REQUEST_OPEN ||
		    r->sid == 0)
			continue;
		o = link_start(f->link, RQ_READS);
		frame_put_u32(o, r->id);
		frame_put_u32(o, r->sid);
		frame_put_str(o, r->what);
		link_send(f->link);
	}
}

static bool
was_never_sent(const struct feed_request *r)
{
	return r->failure != NULL && r->state == REQUEST_OPEN;
}

static void
fail_unsent(struct feed_request *r)
{
	if (*r->failure == '\0')
		finish(r, ST_NO_CONSOLE, 0);
	else
		fail(r, r->failure);
}

void
feed_request_failures(struct feed *f)
{
	each(f, was_never_sent, fail_unsent);
}

static struct feed_request *
request_new(struct feed *f, const struct feed_request_ops *ops, void *arg)
{
	struct feed_request *r = xcalloc(1, sizeof(*r));

	r->feed = f;
	r->id = ++f->last_request;
	r->ops = ops;
	r->arg = arg;
	r->next = f->requests;
	f->requests = r;
	return r;
}

/* why: "" when there is no such console. */
static struct feed_request *
unsent(struct feed_request *r, const char *why)
{
	r->failure = why;
	timer_set(r->feed->later, 0);
	return r;
}

struct feed_request *
feed_tail(struct feed *f, const char *console, unsigned lines, bool raw,
    const struct feed_request_ops *ops, void *arg)
{
	struct feed_request *r = request_new(f, ops, arg);
	struct feed_line *line = feed_line_named(f, console);
	struct frame_out *o;

	if (line == NULL)
		return unsent(r, "");
	if (!feed_can_send(f))
		return unsent(r, "the console process is not there; try again");
	o = link_start(f->link, RQ_TAIL);
	frame_put_u32(o, r->id);
	frame_put_u16(o, line->pub.id);
	frame_put_u32(o, lines);
	frame_put_u8(o, raw);
	link_send(f->link);
	link_flush(f->link);
	return r;
}

static uint16_t
at_most_u16(unsigned v)
{
	return v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

struct feed_request *
feed_command(struct feed *f, const struct feed_run *run,
    const struct feed_request_ops *ops, void *arg)
{
	struct feed_request *r = request_new(f, ops, arg);
	struct frame_out *o;
	size_t n = 64;

	for (int i = 0; i < run->argc; i++)
		n += 2 + strlen(run->argv[i]);
	if (run->argc > ARGS_MAX || n > FRAME_MAX)
		return unsent(r, "the command is too long");
	if (!feed_can_send(f))
		return unsent(r, "the console process is not there; try again");
	r->columns = run->columns;
	r->rows = run->rows;
	r->sid = run->session != NULL ? run->session->sid : 0;
	o = link_start(f->link, RQ_COMMAND);
	frame_put_u32(o, r->id);
	frame_put_u32(o, r->sid);
	frame_put_u8(o, run->tty);
	frame_put_u16(o, at_most_u16(run->columns));
	frame_put_u16(o, at_most_u16(run->rows));
	frame_put_u8(o, (uint8_t)run->argc);
	for (int i = 0; i < run->argc; i++)
		frame_put_str(o, run->argv[i]);
	link_send(f->link);
	link_flush(f->link);
	return r;
}

void
feed_request_more(struct feed_request *r)
{
	struct feed *f = r->feed;

	feed_enter(f);
	give_held(r);
	if (!r->freed && !is_held(r)) {
		if (r->reader != NULL)
			link_hold(r->reader, false);
		if (r->state == REQUEST_ENDING)
			change_state(r, REQUEST_ENDED);
	}
	feed_leave(f);
}

void
feed_request_keys(struct feed_request *r, const void *p, size_t n)
{
	/* Keys for a reader that is stuck, or not yet there, are dropped. */
	if (r->reader == NULL || n > FRAME_MAX ||
	    link_room(r->reader) < n + FRAME_HEAD)
		return;
	frame_put_bytes(link_start(r->reader, RD_KEYS), p, n);
	link_send(r->reader);
	link_flush(r->reader);
}

void
feed_request_size(struct feed_request *r, unsigned columns, unsigned rows)
{
	struct frame_out *o;

	r->columns = columns;
	r->rows = rows;
	r->resized = r->reader == NULL;
	if (r->reader == NULL || link_room(r->reader) < FRAME_HEAD + 4)
		return;
	o = link_start(r->reader, RD_SIZE);
	frame_put_u16(o, at_most_u16(columns));
	frame_put_u16(o, at_most_u16(rows));
	link_send(r->reader);
	link_flush(r->reader);
}

bool
feed_request_is_over(const struct feed_request *r)
{
	return r->state != REQUEST_OPEN;
}

void
feed_cancel(struct feed_request *r)
{
	struct feed *f;

	if (r == NULL || r->freed)
		return;
	f = r->feed;
	forget(r);
	link_free(r->reader);
	r->reader = NULL;
	/* The end of a reader is heard of here alone. */
	if ((r->state == REQUEST_OPEN || r->what != NULL) &&
	    r->failure == NULL && f->state == FEED_UP) {
		frame_put_u32(link_start(f->link, RQ_CANCEL), r->id);
		link_send(f->link);
		link_flush(f->link);
	}
	r->freed = true;
	feed_enter(f);
	r->next = f->given_up;
	f->given_up = r;
	f->reap = true;
	feed_leave(f);
}

void
feed_request_reap(struct feed *f)
{
	struct feed_request *r;

	while ((r = f->given_up) != NULL) {
		f->given_up = r->next;
		buf_free(r->held);
		free(r->what);
		free(r);
	}
}
