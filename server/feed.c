#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "feed_internal.h"

#define LINGER_MS 2000
#define CONSOLE_NONE 0xffff

/* Objects may be freed from any callback; they are reaped when all are back. */
void
feed_enter(struct feed *f)
{
	f->depth++;
}

void
feed_leave(struct feed *f)
{
	if (--f->depth == 0 && f->reap) {
		f->reap = false;
		feed_session_reap(f);
		feed_request_reap(f);
	}
}

bool
feed_can_send(struct feed *f)
{
	return f->state == FEED_UP &&
	    link_room(f->link) >= FRAME_HEAD + FRAME_MAX;
}

static struct feed_line *
line_with_id(const struct feed *f, uint16_t id)
{
	for (size_t i = 0; i < f->nlines; i++) {
		if (f->lines[i]->pub.id == id && !f->lines[i]->stale &&
		    !f->lines[i]->pub.gone)
			return f->lines[i];
	}
	return NULL;
}

struct feed_line *
feed_line_named(const struct feed *f, const char *name)
{
	for (size_t i = 0; i < f->nlines; i++) {
		if (strcmp(f->lines[i]->pub.name, name) == 0 &&
		    !f->lines[i]->pub.gone)
			return f->lines[i];
	}
	return NULL;
}

static void
send_subscribe(struct feed *f, struct feed_line *line)
{
	struct frame_out *o = link_start(f->link, RQ_SUBSCRIBE);

	frame_put_u16(o, line->pub.id);
	frame_put_u64(o, line->placed ? ring_head(line->ring) : FEED_NEWEST);
	link_send(f->link);
}

void
feed_line_watch(struct feed *f, struct feed_line *line)
{
	line->viewers++;
	if (line->ring != NULL)
		return;
	line->ring = ring_new(FEED_RING_BYTES, 0);
	line->placed = false;
	if (f->state == FEED_UP)
		send_subscribe(f, line);
}

void
feed_line_unwatch(struct feed *f, struct feed_line *line)
{
	/* Kept for a while: who changes consoles often comes back. */
	if (--line->viewers == 0)
		timer_set(f->linger, LINGER_MS);
}

static void
drop_ring(struct feed_line *line)
{
	ring_free(line->ring);
	line->ring = NULL;
	line->placed = false;
}

static void
on_linger(void *arg)
{
	struct feed *f = arg;
	size_t n = 0;

	for (size_t i = 0; i < f->nlines; i++) {
		struct feed_line *line = f->lines[i];

		if (line->viewers == 0 && line->ring != NULL) {
			drop_ring(line);
			if (f->state == FEED_UP && !line->pub.gone) {
				frame_put_u16(link_start(f->link,
				    RQ_UNSUBSCRIBE), line->pub.id);
				link_send(f->link);
			}
		}
		if (line->viewers == 0 && line->pub.gone)
			free(line);
		else
			f->lines[n++] = line;
	}
	f->nlines = n;
}

/* The console process has it no longer. */
static void
line_gone(struct feed *f, struct feed_line *line)
{
	line->pub.gone = true;
	line->pub.up = false;
	feed_session_line_gone(f, line);
	timer_set(f->linger, LINGER_MS);
}

static int
by_id(const void *a, const void *b)
{
	const struct feed_line *const *x = a, *const *y = b;

	return (int)(*x)->pub.id - (int)(*y)->pub.id;
}

static void
copy_cut(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);

	if (n >= size) {
		n = size - 1;
		/* Not in the middle of a character. */
		while (n > 0 && ((uint8_t)src[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(dst, src, n);
	dst[n] = '\0';
}

static int
on_console(struct feed *f, struct frame *fr)
{
	struct feed_console c = { .id = frame_u16(fr) };
	char description[1024];
	struct feed_line *line;

	c.up = frame_u8(fr) != 0;
	c.speed = frame_u32(fr);
	frame_str(fr, c.name, sizeof(c.name));
	frame_str(fr, description, sizeof(description));
	frame_str(fr, c.line, sizeof(c.line));
	c.tail = frame_u64(fr);
	c.head = frame_u64(fr);
	if (!frame_ok(fr))
		return -1;
	copy_cut(c.description, sizeof(c.description), description);
	line = feed_line_named(f, c.name);
	if (line == NULL) {
		line = xcalloc(1, sizeof(*line));
		f->lines = xreallocarray(f->lines, f->nlines + 1,
		    sizeof(*f->lines));
		f->lines[f->nlines++] = line;
	}
	line->pub = c;
	line->stale = false;
	qsort(f->lines, f->nlines, sizeof(*f->lines), by_id);
	if (f->state == FEED_UP)
		f->ops->consoles(f->arg);
	return 0;
}

static int
on_console_gone(struct feed *f, struct frame *fr)
{
	uint16_t id = frame_u16(fr);
	struct feed_line *line = line_with_id(f, id);

	if (!frame_ok(fr))
		return -1;
	if (line != NULL) {
		line_gone(f, line);
		if (f->state == FEED_UP)
			f->ops->consoles(f->arg);
	}
	return 0;
}

static int
on_data(struct feed *f, struct frame *fr)
{
	struct feed_line *line = line_with_id(f, frame_u16(fr));
	uint64_t offset = frame_u64(fr), head;
	size_t n;
	const uint8_t *p = frame_rest(fr, &n);

	if (!frame_ok(fr))
		return -1;
	if (line == NULL || line->ring == NULL)
		return 0;
	head = ring_head(line->ring);
	if (line->placed && offset < head) {
		/* Sent twice: keep what is new. */
		if (n <= head - offset)
			return 0;
		p += head - offset;
		n -= (size_t)(head - offset);
		offset = head;
	}
	feed_session_data(f, line, offset, p, n);
	return 0;
}

static int
on_gap(struct feed *f, struct frame *fr)
{
	struct feed_line *line = line_with_id(f, frame_u16(fr));
	uint64_t to;

	(void)frame_u64(fr);
	to = frame_u64(fr);
	if (!frame_ok(fr))
		return -1;
	if (line != NULL && line->ring != NULL)
		feed_session_gap(f, line, to);
	return 0;
}

static void
go_down(struct feed *f, const char *why)
{
	bool was_up = f->state == FEED_UP;

	link_free(f->link);
	f->link = NULL;
	f->state = FEED_DOWN;
	f->held = false;
	timer_stop(f->pace);
	if (was_up)
		feed_session_link_down_all(f);
	feed_request_link_down_all(f);
	feed_peer_link_down(f);
	f->ops->down(f->arg, why);
}

static int
on_welcome(struct feed *f, struct frame *fr)
{
	unsigned version = frame_u16(fr);
	struct frame_out *o;
	char why[80];

	if (version != PROTO_VERSION) {
		snprintf(why, sizeof(why), "it speaks version %u of the "
		    "protocol, this program %d", version, PROTO_VERSION);
		go_down(f, why);
		return 0;
	}
	frame_str(fr, f->box, sizeof(f->box));
	(void)frame_u64(fr);		/* epoch */
	if (!frame_ok(fr) || f->state != FEED_GREETING)
		return -1;
	f->state = FEED_LISTING;
	/* Answered after the consoles: then their list is complete. */
	f->barrier = ++f->last_request;
	o = link_start(f->link, RQ_TAIL);
	frame_put_u32(o, f->barrier);
	frame_put_u16(o, CONSOLE_NONE);
	frame_put_u32(o, 0);
	frame_put_u8(o, 0);
	link_send(f->link);
	link_flush(f->link);
	return 0;
}

/* The list is complete: go on where the link broke. */
static void
on_listed(struct feed *f)
{
	f->state = FEED_UP;
	for (size_t i = 0; i < f->nlines; i++) {
		struct feed_line *line = f->lines[i];

		if (line->stale && !line->pub.gone)
			line_gone(f, line);
		else if (line->ring != NULL && !line->pub.gone)
			send_subscribe(f, line);
	}
	feed_session_reopen_all(f);
	feed_request_retell_all(f);
	feed_peer_link_up(f);
	f->ops->up(f->arg);
	if (f->link != NULL)
		link_flush(f->link);
}

static bool
is_barrier(struct feed *f, const struct frame *fr)
{
	struct frame copy = *fr;

	return f->state == FEED_LISTING && fr->type == AN_END &&
	    frame_u32(&copy) == f->barrier;
}

static int
dispatch(struct feed *f, struct frame *fr)
{
	/* Before the welcome nothing but the welcome. */
	if (f->state == FEED_GREETING && fr->type != AN_WELCOME)
		return -1;
	if (fr->type == NT_EVENT)
		return feed_peer_frame(f, fr);
	switch ((enum proto_answer)fr->type) {
	case AN_WELCOME:
		return on_welcome(f, fr);
	case AN_CONSOLE:
		return on_console(f, fr);
	case AN_CONSOLE_GONE:
		return on_console_gone(f, fr);
	case AN_DATA:
		return on_data(f, fr);
	case AN_GAP:
		return on_gap(f, fr);
	case AN_ATTACHED:
	case AN_PEN:
	case AN_CREDIT:
	case AN_NOTICE:
	case AN_ENDED:
		return feed_session_frame(f, fr);
	case AN_OUT:
	case AN_END:
		return feed_request_frame(f, fr, -1);
	case AN_READER:
		break;		/* has a descriptor: on_frame */
	case AN_TASK:
	case AN_TASK_GONE:
	case AN_PRESENCE:
	case AN_GRANTS:
		return feed_peer_frame(f, fr);
	}
	return -1;
}

static int
on_frame(void *arg, struct frame *fr, int fd)
{
	struct feed *f = arg;
	int r = 0;

	if (fd != -1 && fr->type != AN_READER) {
		close(fd);
		return -1;
	}
	feed_enter(f);
	if (is_barrier(f, fr))
		on_listed(f);
	else if (fr->type == AN_READER)
		r = feed_request_frame(f, fr, fd);
	else
		r = dispatch(f, fr);
	feed_leave(f);
	return r;
}

static void
on_down(void *arg, const char *why)
{
	struct feed *f = arg;

	feed_enter(f);
	go_down(f, why);
	feed_leave(f);
}

/* Comes from inside link_flush: nobody is called back from there. */
static void
on_room(void *arg)
{
	struct feed *f = arg;

	f->room = true;
	timer_set(f->later, 0);
}

static void
on_later(void *arg)
{
	struct feed *f = arg;

	feed_enter(f);
	if (f->room)
		feed_session_room(f);
	f->room = false;
	feed_session_refusals(f);
	feed_request_failures(f);
	feed_leave(f);
}

static void
on_pace(void *arg)
{
	struct feed *f = arg;

	feed_session_pace(f);
}

static const struct link_ops link_ops = { on_frame, on_down, on_room };

struct feed *
feed_new(struct loop *loop, const char *program, const struct feed_ops *ops,
    void *arg)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	f->loop = loop;
	f->program = xstrdup(program);
	f->ops = ops;
	f->arg = arg;
	f->later = timer_new(loop, on_later, f);
	f->linger = timer_new(loop, on_linger, f);
	f->pace = timer_new(loop, on_pace, f);
	return f;
}

void
feed_flush(struct feed *f)
{
	if (f->link != NULL)
		link_flush(f->link);
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	link_free(f->link);
	timer_free(f->later);
	timer_free(f->linger);
	timer_free(f->pace);
	feed_session_reap(f);
	feed_request_reap(f);
	for (size_t i = 0; i < f->nlines; i++) {
		ring_free(f->lines[i]->ring);
		free(f->lines[i]);
	}
	feed_peer_free(f);
	free(f->lines);
	free(f->sessions);
	free(f->program);
	free(f);
}

void
feed_link(struct feed *f, int fd)
{
	struct frame_out *o;

	if (f->link != NULL) {
		feed_enter(f);
		go_down(f, "replaced");
		feed_leave(f);
	}
	for (size_t i = 0; i < f->nlines; i++)
		f->lines[i]->stale = true;
	f->link = link_new(f->loop, fd, FEED_OUT_MAX, &link_ops, f);
	f->state = FEED_GREETING;
	o = link_start(f->link, RQ_HELLO);
	frame_put_u16(o, PROTO_VERSION);
	frame_put_str(o, f->program);
	link_send(f->link);
	link_flush(f->link);
}

bool
feed_is_up(const struct feed *f)
{
	return f->state == FEED_UP;
}

const char *
feed_box_name(const struct feed *f)
{
	return f->box;
}

size_t
feed_nconsoles(const struct feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nlines; i++)
		n += f->lines[i]->pub.gone ? 0 : 1;
	return n;
}

const struct feed_console *
feed_console_at(const struct feed *f, size_t n)
{
	for (size_t i = 0; i < f->nlines; i++) {
		if (!f->lines[i]->pub.gone && n-- == 0)
			return &f->lines[i]->pub;
	}
	return NULL;
}

const struct feed_console *
feed_console_named(const struct feed *f, const char *name)
{
	const struct feed_line *line = feed_line_named(f, name);

	return line != NULL ? &line->pub : NULL;
}
