#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feed_internal.h"

#define PACE_MS 250
#define PACE_BYTES 65536
#define KEPT_BYTES 4096		/* shown again to a viewer that was lapped */
#define INTERRUPTS_MAX 64
#define TEXT_MAX 2048
/* Credit for what was typed before a change of consoles may still come. */
#define WINDOW (FEED_INPUT_MAX - 4096 - INTERRUPTS_MAX)

static struct feed_session *
session_with_id(const struct feed *f, uint32_t sid)
{
	for (size_t i = 0; i < f->nsessions; i++) {
		if (f->sessions[i]->sid == sid && !f->sessions[i]->dead)
			return f->sessions[i];
	}
	return NULL;
}

static bool
watches(const struct feed_session *s, const struct feed_line *line)
{
	return s->line == line && !s->dead && !s->over;
}

static struct frame_out *
start(struct feed_session *s, uint16_t type)
{
	struct frame_out *o = link_start(s->feed->link, type);

	frame_put_u32(o, s->sid);
	return o;
}

static void
finish(struct feed_session *s)
{
	link_send(s->feed->link);
	link_flush(s->feed->link);
}

static void
send_open(struct feed_session *s)
{
	struct frame_out *o = start(s, RQ_OPEN);

	frame_put_str(o, s->user);
	frame_put_str(o, s->from);
	frame_put_str(o, s->via);
	frame_put_str(o, s->key);
	if (s->voucher != NULL)
		frame_put_str(o, s->voucher);
	finish(s);
}

static void
send_attach(struct feed_session *s, enum attach_mode mode)
{
	struct frame_out *o = start(s, RQ_ATTACH);

	frame_put_u16(o, s->line->pub.id);
	frame_put_u8(o, (uint8_t)mode);
	finish(s);
}

static void
change_state(struct feed_session *s, enum feed_seat to)
{
	s->state = to;
	if (to != FEED_ALONE)
		return;
	if (s->line != NULL)
		feed_line_unwatch(s->feed, s->line);
	s->line = NULL;
	s->writes = false;
	s->in_flight = 0;
}

static void
end(struct feed_session *s, const char *why)
{
	if (s->over)
		return;
	s->over = true;
	change_state(s, FEED_ALONE);
	s->ops->ended(s->arg, why);
}

void
feed_session_reopen_all(struct feed *f)
{
	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];

		if (s->dead || s->over)
			continue;
		send_open(s);
		if (s->state == FEED_WAITING) {
			send_attach(s, s->mode);
		} else if (s->state != FEED_ALONE) {
			change_state(s, FEED_RESUMING);
			send_attach(s, s->writes ? ATTACH_RESUME : s->watch ?
			    ATTACH_REJOIN_WATCH : ATTACH_REJOIN);
		}
		s->ops->link(s->arg, true);
	}
}

void
feed_session_link_down_all(struct feed *f)
{
	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];
		size_t lost = s->in_flight;

		if (s->dead || s->over)
			continue;
		s->in_flight = 0;
		if (lost > 0)
			s->ops->credit(s->arg, lost, true);
		if (!s->dead)
			s->ops->link(s->arg, false);
	}
}

void
feed_session_room(struct feed *f)
{
	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];

		if (!s->dead && !s->over)
			s->ops->credit(s->arg, 0, false);
	}
}

void
feed_session_line_gone(struct feed *f, struct feed_line *line)
{
	for (size_t i = 0; i < f->nsessions; i++) {
		if (watches(f->sessions[i], line))
			end(f->sessions[i], "this console was removed");
	}
}

/*
 * Pace
 */
static void
keeps_pace(struct feed_session *s)
{
	s->pace_until = mono_after(loop_now(s->feed->loop), PACE_MS);
}

void
feed_taken(struct feed_session *s, uint64_t at)
{
	struct mono now = loop_now(s->feed->loop);
	uint64_t n = at > s->taken && s->taken != FEED_NEWEST ?
	    at - s->taken : 0;

	if (s->line == NULL || s->line->ring == NULL)
		return;
	s->taken = at;
	if (mono_ms(s->pace_from, now) > PACE_MS) {
		s->pace_from = now;
		s->pace_bytes = 0;
	}
	s->pace_bytes += n;
	if (s->pace_bytes >= PACE_BYTES) {
		s->pace_from = now;
		s->pace_bytes = 0;
		s->lapped = false;
		keeps_pace(s);
	}
	if (at == ring_head(s->line->ring) && !s->lapped)
		keeps_pace(s);
	if (s->feed->held)
		feed_session_pace(s->feed);
}

/* Bytes are about to come: who had all of them until now keeps pace. */
static void
note_pace(struct feed *f, const struct feed_line *line)
{
	uint64_t head = ring_head(line->ring);

	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];

		if (watches(s, line) && s->taken == head && !s->lapped)
			keeps_pace(s);
	}
}

void
feed_session_pace(struct feed *f)
{
	struct mono now = loop_now(f->loop);
	int64_t wait = -1;

	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];
		int64_t left = mono_ms(now, s->pace_until) + 1;

		if (s->dead || s->line == NULL || !s->line->placed ||
		    s->taken == FEED_NEWEST || mono_us(now, s->pace_until) <= 0)
			continue;
		if (ring_head(s->line->ring) > s->taken +
		    ring_size(s->line->ring) / 2 && (wait == -1 || left < wait))
			wait = left;
	}
	if (wait != -1)
		timer_set(f->pace, wait);
	if (f->held != (wait != -1) && f->link != NULL) {
		f->held = wait != -1;
		link_hold(f->link, f->held);
	}
}

static void
tell_data(struct feed *f, const struct feed_line *line)
{
	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];

		if (watches(s, line) && s->state != FEED_WAITING)
			s->ops->data(s->arg);
	}
}

/* The ring begins: so do those who wait for the newest. */
static void
place(struct feed *f, struct feed_line *line, uint64_t offset)
{
	ring_restart(line->ring, offset);
	line->placed = true;
	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];

		if (watches(s, line) && s->taken == FEED_NEWEST)
			s->taken = offset;
	}
}

/* A gap; or the stream began anew, and whoever was ahead is so no longer. */
static void
restart(struct feed *f, struct feed_line *line, uint64_t to)
{
	bool back = to < ring_head(line->ring);

	ring_restart(line->ring, to);
	for (size_t i = 0; i < f->nsessions && back; i++) {
		if (watches(f->sessions[i], line))
			f->sessions[i]->rewound = true;
	}
}

void
feed_session_data(struct feed *f, struct feed_line *line, uint64_t offset,
    const uint8_t *p, size_t n)
{
	if (!line->placed)
		place(f, line, offset);
	else if (offset != ring_head(line->ring))
		restart(f, line, offset);
	note_pace(f, line);
	ring_write(line->ring, p, n);
	tell_data(f, line);
	feed_session_pace(f);
}

void
feed_session_gap(struct feed *f, struct feed_line *line, uint64_t to)
{
	if (!line->placed)
		place(f, line, to);
	else
		restart(f, line, to);
	tell_data(f, line);
}

uint64_t
feed_head(const struct feed_session *s)
{
	if (s->line == NULL || !s->line->placed)
		return FEED_NEWEST;
	return ring_head(s->line->ring);
}

/* Where a viewer goes on that was lapped: the last lines, whole ones. */
static uint64_t
newest_lines(const struct ring *r)
{
	uint64_t head = ring_head(r), from = ring_tail(r);
	const uint8_t *p, *nl;
	size_t n;

	if (head - from <= KEPT_BYTES)
		return from;
	from = head - KEPT_BYTES;
	for (uint64_t at = from; at < head; at += n) {
		n = ring_peek(r, at, &p);
		nl = memchr(p, '\n', n);
		if (nl != NULL)
			return at + (uint64_t)(nl - p) + 1;
	}
	return from;
}

uint64_t
feed_skip(struct feed_session *s)
{
	if (s->line == NULL || !s->line->placed)
		return FEED_NEWEST;
	s->taken = newest_lines(s->line->ring);
	s->lapped = true;
	return s->taken;
}

size_t
feed_peek(struct feed_session *s, uint64_t *at, const uint8_t **p)
{
	const struct ring *r;

	if (s->line == NULL || !s->line->placed)
		return 0;
	r = s->line->ring;
	if (*at == FEED_NEWEST) {
		*at = ring_tail(r);
	} else if (s->rewound) {
		*at = s->taken = ring_tail(r);
	} else if (*at < ring_tail(r)) {
		*at = feed_skip(s);
	}
	s->rewound = false;
	/* Ahead: feed_tail told of bytes that are still on their way. */
	return *at > ring_head(r) ? 0 : ring_peek(r, *at, p);
}

/*
 * Frames for sessions
 */
static int
on_attached(struct feed_session *s, struct frame *fr)
{
	uint16_t console = frame_u16(fr);
	int status = frame_u8(fr);
	bool writes = frame_u8(fr) != 0, resumed, changed;
	char text[TEXT_MAX];

	frame_str(fr, text, sizeof(text));
	if (!frame_ok(fr))
		return -1;
	/* The answer to an earlier wish is of no interest. */
	if (s->line == NULL || s->line->pub.id != console ||
	    (s->state != FEED_WAITING && s->state != FEED_RESUMING))
		return 0;
	resumed = s->state == FEED_RESUMING;
	changed = resumed && s->writes != writes;
	if (status != ST_OK && resumed) {
		end(s, text);
		return 0;
	}
	change_state(s, status == ST_OK ? FEED_ATTACHED : FEED_ALONE);
	s->writes = status == ST_OK && writes;
	if (!resumed) {
		s->ops->attached(s->arg, status, s->writes, text);
		return 0;
	}
	if (changed)
		s->ops->pen(s->arg, writes, text);
	if (!s->dead)
		s->ops->credit(s->arg, 0, false);
	return 0;
}

static int
on_pen(struct feed_session *s, struct frame *fr)
{
	bool writes = frame_u8(fr) != 0;
	char text[TEXT_MAX];

	frame_str(fr, text, sizeof(text));
	if (!frame_ok(fr))
		return -1;
	if (s->line == NULL)
		return 0;
	s->writes = writes;
	s->ops->pen(s->arg, writes, text);
	return 0;
}

static int
on_credit(struct feed_session *s, struct frame *fr)
{
	size_t n = frame_u32(fr);
	bool dropped = frame_u8(fr) != 0;

	if (!frame_ok(fr))
		return -1;
	/* What was sent before a change of consoles no longer counts. */
	if (n > s->in_flight)
		n = s->in_flight;
	s->in_flight -= n;
	s->ops->credit(s->arg, n, dropped);
	return 0;
}

static int
on_ended(struct feed_session *s, struct frame *fr)
{
	char text[TEXT_MAX];

	frame_str(fr, text, sizeof(text));
	if (!frame_ok(fr))
		return -1;
	end(s, text);
	return 0;
}

static int
on_notice(struct feed *f, struct frame *fr)
{
	uint16_t console = frame_u16(fr);
	uint32_t sid = frame_u32(fr);
	char text[TEXT_MAX];

	frame_str(fr, text, sizeof(text));
	if (!frame_ok(fr))
		return -1;
	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];

		if (s->dead || s->over)
			continue;
		if (sid != 0 ? s->sid == sid : s->line != NULL &&
		    s->state != FEED_WAITING && s->line->pub.id == console)
			s->ops->notice(s->arg, text);
	}
	return 0;
}

int
feed_session_frame(struct feed *f, struct frame *fr)
{
	static const struct {
		enum proto_answer type;
		int (*fn)(struct feed_session *, struct frame *);
	} table[] = {
		{ AN_ATTACHED, on_attached },
		{ AN_PEN, on_pen },
		{ AN_CREDIT, on_credit },
		{ AN_ENDED, on_ended },
	};
	struct feed_session *s;

	if (fr->type == AN_NOTICE)
		return on_notice(f, fr);
	s = session_with_id(f, frame_u32(fr));
	if (s == NULL || s->over)
		return 0;		/* closed meanwhile */
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].type == fr->type)
			return table[i].fn(s, fr);
	}
	return -1;
}

void
feed_session_refusals(struct feed *f)
{
	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];

		if (s->dead || !s->refused)
			continue;
		s->refused = false;
		s->ops->attached(s->arg, ST_NO_CONSOLE, false, "");
	}
}

void
feed_session_reap(struct feed *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nsessions; i++) {
		struct feed_session *s = f->sessions[i];

		if (!s->dead) {
			f->sessions[n++] = s;
			continue;
		}
		free(s->user);
		free(s->from);
		free(s->via);
		free(s->key);
		if (s->voucher != NULL)
			freezero(s->voucher, strlen(s->voucher));
		free(s);
	}
	f->nsessions = n;
}

/*
 * What the owner of a session calls
 */
struct feed_session *
feed_open(struct feed *f, const struct feed_user *user,
    const struct feed_session_ops *ops, void *arg)
{
	struct feed_session *s = xcalloc(1, sizeof(*s));

	s->feed = f;
	s->sid = ++f->last_sid;
	s->user = xstrdup(user->name);
	s->from = xstrdup(user->from);
	s->via = xstrdup(user->via);
	s->key = xstrdup(user->key);
	s->voucher = user->voucher == NULL ? NULL : xstrdup(user->voucher);
	s->ops = ops;
	s->arg = arg;
	f->sessions = xreallocarray(f->sessions, f->nsessions + 1,
	    sizeof(*f->sessions));
	f->sessions[f->nsessions++] = s;
	if (f->state == FEED_UP)
		send_open(s);
	return s;
}

void
feed_close(struct feed_session *s)
{
	struct feed *f;

	if (s == NULL)
		return;
	f = s->feed;
	feed_enter(f);
	change_state(s, FEED_ALONE);
	s->dead = true;
	f->reap = true;
	if (f->state == FEED_UP) {
		start(s, RQ_CLOSE);
		finish(s);
	}
	feed_leave(f);
}

void
feed_attach(struct feed_session *s, const char *console, enum attach_mode mode)
{
	struct feed *f = s->feed;
	struct feed_line *line = feed_line_named(f, console);

	feed_detach(s);
	if (line == NULL) {
		s->refused = true;
		timer_set(f->later, 0);
		return;
	}
	s->line = line;
	s->mode = mode;
	s->watch = mode == ATTACH_WATCH;
	s->lapped = s->rewound = false;
	feed_line_watch(f, line);
	s->taken = feed_head(s);
	change_state(s, FEED_WAITING);
	if (f->state == FEED_UP)
		send_attach(s, mode);
}

void
feed_detach(struct feed_session *s)
{
	s->refused = false;
	if (s->line == NULL)
		return;
	change_state(s, FEED_ALONE);
	if (s->feed->state == FEED_UP) {
		start(s, RQ_DETACH);
		finish(s);
	}
}

const struct feed_console *
feed_attached(const struct feed_session *s)
{
	return s->line != NULL ? &s->line->pub : NULL;
}

bool
feed_input_idle(const struct feed_session *s)
{
	return s->in_flight == 0;
}

bool
feed_writes(const struct feed_session *s)
{
	return s->writes;
}

static bool
can_ask(struct feed_session *s)
{
	return s->line != NULL && s->state == FEED_ATTACHED &&
	    feed_can_send(s->feed);
}

void
feed_pen(struct feed_session *s, enum pen_op op)
{
	if (!can_ask(s))
		return;
	s->watch = op == PEN_WATCH;
	frame_put_u8(start(s, RQ_PEN), (uint8_t)op);
	finish(s);
}

size_t
feed_input_room(const struct feed_session *s)
{
	if (s->state != FEED_ATTACHED || !feed_can_send(s->feed) ||
	    s->in_flight >= WINDOW)
		return 0;
	return WINDOW - s->in_flight;
}

size_t
feed_input(struct feed_session *s, const void *p, size_t n)
{
	size_t room = feed_input_room(s);

	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	frame_put_bytes(start(s, RQ_INPUT), p, n);
	finish(s);
	s->in_flight += n;
	return n;
}

bool
feed_interrupt(struct feed_session *s)
{
	if (!can_ask(s) || s->in_flight >= WINDOW + INTERRUPTS_MAX)
		return false;
	start(s, RQ_INTERRUPT);
	finish(s);
	s->in_flight++;
	return true;
}

void
feed_break(struct feed_session *s)
{
	if (!can_ask(s))
		return;
	start(s, RQ_BREAK);
	finish(s);
}

void
feed_note(struct feed_session *s, const char *text)
{
	if (!can_ask(s))
		return;
	frame_put_str(start(s, RQ_NOTE), text);
	finish(s);
}

void
feed_seen(struct feed_session *s, uint64_t at, int64_t ms, enum seen_how how)
{
	struct frame_out *o;

	if (s->line == NULL || (s->state != FEED_ATTACHED &&
	    s->state != FEED_RESUMING) || !feed_can_send(s->feed))
		return;
	o = start(s, RQ_SEEN);
	frame_put_u64(o, at);
	frame_put_u32(o, ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms);
	frame_put_u8(o, (uint8_t)how);
	finish(s);
}

void
feed_record(struct feed_session *s)
{
	if (!can_ask(s))
		return;
	start(s, RQ_RECORD);
	finish(s);
}
