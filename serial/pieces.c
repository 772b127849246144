#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "pieces.h"

struct event {
	int64_t utc, mono;
	uint64_t boot;
	char text[PIECES_TEXT];
};

struct pieces {
	struct jread *in;
	int64_t since, until, idle;
	bool ended;		/* jread has no more for us */
	bool has_record;
	struct record record;
	size_t at, note;	/* bytes and notes of it that are out */
	bool has_next;		/* an event that did not fit was read */
	struct event next;
	struct event events[PIECES_EVENTS];
	size_t first, count;
	/* The clock. */
	bool begun;
	int64_t us, prev_utc, prev_mono;
	uint64_t prev_boot;
};

struct pieces *
pieces_new(struct jread *in, int64_t since, int64_t until, int64_t idle)
{
	struct pieces *p = xcalloc(1, sizeof(*p));

	p->in = in;
	p->since = since;
	p->until = until;
	p->idle = idle;
	return p;
}

void
pieces_free(struct pieces *p)
{
	free(p);
}

/*
 * Time from the last piece to this one.  The monotonic clock tells it, while
 * it is the same one; after a reboot of the box only the wall clock can, and
 * when they differ without a known reason the shorter is meant.
 */
static int64_t
since_last(const struct pieces *p, int64_t utc, int64_t mono, uint64_t boot)
{
	int64_t by_wall = utc - p->prev_utc, by_mono = mono - p->prev_mono;

	if (boot == p->prev_boot)
		return by_mono;
	if (by_mono < 0)
		return by_wall;
	return by_wall >= 0 && by_wall < by_mono ? by_wall : by_mono;
}

/* The clock moves to what came then.  Context from before since does not. */
static void
tick(struct pieces *p, int64_t utc, int64_t mono, uint64_t boot)
{
	int64_t us = p->begun ? since_last(p, utc, mono, boot) : 0;

	if (utc < p->since)
		return;
	if (p->idle != -1 && us > p->idle)
		us = p->idle;
	if (us > 0)
		p->us += us;
	/* A piece that is out of order does not lengthen what follows. */
	if (us >= 0 || !p->begun || boot != p->prev_boot) {
		p->prev_utc = utc;
		p->prev_mono = mono;
		p->prev_boot = boot;
	}
	p->begun = true;
}

static void
make_event(struct event *e, const struct record *r, uint64_t boot)
{
	e->boot = boot;
	e->utc = r->stamp.utc_us;
	e->mono = r->stamp.mono.us;
	str_safe(e->text, sizeof(e->text), r->data, r->n);
}

static void
keep_event(struct pieces *p, const struct event *e)
{
	p->events[(p->first + p->count++) % PIECES_EVENTS] = *e;
}

/* Read on until there is a line, or as many events as can be kept. */
static int
read_on(struct pieces *p)
{
	struct event e;
	int got = 1;

	if (p->has_next) {
		p->has_next = false;
		keep_event(p, &p->next);
	}
	while (!p->ended && !p->has_record) {
		got = jread_next(p->in, &p->record);
		if (got == -1)
			return -1;
		if (got == 0) {
			p->ended = true;
			if (!jread_unfinished(p->in, &p->record))
				return 0;
		}
		if (record_is_data(&p->record)) {
			p->has_record = true;
			p->at = p->note = 0;
		} else if (p->record.type == RECORD_EVENT) {
			make_event(&e, &p->record, jread_boot(p->in));
			if (p->count < PIECES_EVENTS) {
				keep_event(p, &e);
				continue;
			}
			p->next = e;
			p->has_next = true;
			return 0;
		}
	}
	return 0;
}

static int64_t
note_us(const struct pieces *p)
{
	return p->note == 0 ? 0 :
	    (int64_t)p->record.notes[p->note - 1].ms * 1000;
}

static int
give_event(struct pieces *p, struct piece *out)
{
	struct event *e = &p->events[p->first];

	p->first = (p->first + 1) % PIECES_EVENTS;
	p->count--;
	tick(p, e->utc, e->mono, e->boot);
	*out = (struct piece){ PIECE_EVENT, p->us, e->utc,
	    (const uint8_t *)e->text, strlen(e->text) };
	return 1;
}

/* The next piece of the line; false: it has no more. */
static bool
give_data(struct pieces *p, struct piece *out)
{
	const struct record *r = &p->record;
	size_t size = r->n + record_term(r), from = p->at, end;
	int64_t us = note_us(p);

	end = p->note < r->nnotes ? r->notes[p->note].at : size;
	p->note++;
	p->at = end;
	if (r->stamp.utc_us + us > p->until || p->note > r->nnotes)
		p->has_record = false;
	if (end <= from || r->stamp.utc_us + us > p->until)
		return false;
	tick(p, r->stamp.utc_us + us, r->stamp.mono.us + us,
	    jread_boot(p->in));
	*out = (struct piece){ PIECE_DATA, p->us, r->stamp.utc_us + us,
	    r->data + from, end - from };
	return true;
}

/* Is the first event to come before the line's next piece? */
static bool
event_is_first(const struct pieces *p)
{
	const struct event *e = &p->events[p->first];

	return p->count > 0 && (!p->has_record || p->has_next ||
	    e->boot != jread_boot(p->in) ||
	    e->mono <= p->record.stamp.mono.us + note_us(p));
}

int
pieces_next(struct pieces *p, struct piece *out)
{
	for (;;) {
		if (!p->has_record && !p->ended && read_on(p) == -1)
			return -1;
		if (event_is_first(p))
			return give_event(p, out);
		if (p->has_record) {
			if (give_data(p, out))
				return 1;
		} else if (p->ended && p->count == 0) {
			return 0;
		}
	}
}
