#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/clock.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "jread.h"
#include "replay.h"
#include "strip.h"
#include "when.h"

#define DEFAULT_SPAN_US INT64_C(600000000)	/* without --at: 10 min */
#define SPEED_MAX 64.0
#define SPEED_ARG_MAX 100000.0
#define LATE_US 100000		/* further behind than this: do not catch up */
#define LOOK_US 50000		/* look for keys at least this often */
#define PAUSED (-1)

struct want {
	int64_t now, at, until;		/* at INT64_MIN: not given */
	int64_t idle_us;		/* longest pause; -1: as it was */
	double speed;
	bool raw;
};

struct replay {
	const struct view *view;
	struct want want;
	struct jread *in;
	struct strip_screen screen;
	bool begun;			/* prev_* are set */
	int64_t prev_utc;
	int64_t prev_mono;
	uint64_t prev_boot;
	int64_t due;			/* mono us: when prev_* is played */
	int64_t looked;			/* mono us: when keys were last read */
	bool stop, gone;
};

static int
set_at(void *conf, const char *value)
{
	struct want *w = conf;

	return when_parse(value, w->now, &w->at);
}

static int
set_until(void *conf, const char *value)
{
	struct want *w = conf;

	return when_parse(value, w->now, &w->until);
}

/* A decimal number in (0, max]. */
static int
positive(const char *s, double max, double *v)
{
	char *end;
	double d;

	if (*s == '\0' || strspn(s, "0123456789.") != strlen(s))
		return -1;
	d = strtod(s, &end);
	if (*end != '\0' || !(d > 0) || d > max)
		return -1;
	*v = d;
	return 0;
}

static int
set_speed(void *conf, const char *value)
{
	struct want *w = conf;

	return positive(value, SPEED_ARG_MAX, &w->speed);
}

static int
set_idle(void *conf, const char *value)
{
	struct want *w = conf;
	double sec;
	int64_t ms;

	if (positive(value, 1e9, &sec) == 0) {
		w->idle_us = (int64_t)(sec * 1e6);
		return 0;
	}
	if (str_duration(value, &ms) == -1 || ms > INT64_MAX / 1000)
		return -1;
	w->idle_us = ms * 1000;
	return 0;
}

static int
set_raw(void *conf, const char *value)
{
	struct want *w = conf;

	(void)value;
	w->raw = true;
	return 0;
}

/* Change the speed; what is left of the wait under way changes with it. */
static void
set_pace(struct replay *p, double speed)
{
	int64_t now = mono_now().us;

	if (speed > SPEED_MAX || speed < 1 / SPEED_MAX)
		return;
	if (p->due > now)
		p->due = now + (int64_t)((double)(p->due - now) *
		    p->want.speed / speed);
	p->want.speed = speed;
}

static void
pause_replay(struct replay *p)
{
	int64_t since = mono_now().us;
	int key;

	do {
		key = p->view->ops->wait(p->view->arg, PAUSED);
		if (key == VIEW_GONE)
			p->gone = true;
		if (key == 'q' || key == 3)
			p->stop = true;
	} while (key != ' ' && !p->gone && !p->stop);
	p->due += mono_now().us - since;
}

static void
on_key(struct replay *p, int key)
{
	if (key == VIEW_GONE)
		p->gone = true;
	if (!p->view->tty)
		return;
	switch (key) {
	case ' ':
		pause_replay(p);
		break;
	case '+': case '=':
		set_pace(p, p->want.speed * 2);
		break;
	case '-':
		set_pace(p, p->want.speed / 2);
		break;
	case 'q': case 3:
		p->stop = true;
		break;
	}
}

/* Wait until what is due is due, obeying keys. */
static void
wait_due(struct replay *p)
{
	int64_t now = mono_now().us, ms;

	if (p->due <= now && now - p->looked < LOOK_US)
		return;
	do {
		ms = p->due > now ? (p->due - now + 500) / 1000 : 0;
		p->looked = now;
		on_key(p, p->view->ops->wait(p->view->arg, ms));
		now = mono_now().us;
	} while (!p->stop && !p->gone && p->due - now > 500);
	if (now - p->due > LATE_US)
		p->due = now;
}

/*
 * Time from the last piece to this one.  The monotonic clock tells it, while
 * it is the same one; after a reboot of the box only the wall clock can, and
 * when they differ without a known reason the shorter is meant.
 */
static int64_t
since_last(const struct replay *p, int64_t utc, int64_t mono)
{
	int64_t by_wall = utc - p->prev_utc, by_mono = mono - p->prev_mono;

	if (jread_boot(p->in) == p->prev_boot)
		return by_mono;
	if (by_mono < 0)
		return by_wall;
	return by_wall >= 0 && by_wall < by_mono ? by_wall : by_mono;
}

static void
play_piece(struct replay *p, int64_t utc, int64_t mono, const uint8_t *data,
    size_t n)
{
	uint8_t out[STRIP_SCREEN_ROOM(RECORD_BYTES + 2)];
	int64_t us;

	if (p->begun) {
		us = since_last(p, utc, mono);
		if (p->want.idle_us != -1 && us > p->want.idle_us)
			us = p->want.idle_us;
		if (us > 0)
			p->due += (int64_t)((double)us / p->want.speed);
	}
	/* What a line showed before --at is its context, shown at once. */
	if (utc >= p->want.at) {
		if (!p->begun)
			p->due = mono_now().us;
		p->begun = true;
		p->prev_utc = utc;
		p->prev_mono = mono;
		p->prev_boot = jread_boot(p->in);
	}
	wait_due(p);
	if (p->stop || p->gone)
		return;
	if (!p->want.raw) {
		n = strip_screen(&p->screen, data, n, out);
		data = out;
	}
	if (n > 0 && p->view->ops->write(p->view->arg, 1, data, n) == -1)
		p->gone = true;
}

static void
play_record(struct replay *p, const struct record *r)
{
	size_t size = r->n + record_term(r), at = 0, end;
	int64_t us = 0;

	for (size_t i = 0; i <= r->nnotes && !p->stop && !p->gone; i++) {
		end = i < r->nnotes ? r->notes[i].at : size;
		if (r->stamp.utc_us + us > p->want.until)
			return;
		if (end > at)
			play_piece(p, r->stamp.utc_us + us,
			    r->stamp.mono.us + us, r->data + at, end - at);
		at = end;
		if (i < r->nnotes)
			us = (int64_t)r->notes[i].ms * 1000;
	}
}

/* When the last output came; INT64_MIN when there is none. */
static int64_t
last_output(const struct view *v, const char *console)
{
	struct jread *j = jread_open(v->log_dir, console);
	int64_t last = INT64_MIN;
	struct record r;

	if (j != NULL && jread_tail(j, 1) == 0) {
		while (jread_next(j, &r) == 1) {
			if (record_is_data(&r))
				last = record_end_us(&r);
		}
		if (jread_unfinished(j, &r))
			last = record_end_us(&r);
	}
	jread_close(j);
	return last;
}

/* Without --at: the last ten minutes before the end. */
static void
choose_start(struct replay *p, const char *console)
{
	char text[STAMP_TEXT];
	int64_t end = p->want.until;

	if (p->want.at != INT64_MIN)
		return;
	if (end == INT64_MAX)
		end = last_output(p->view, console);
	if (end == INT64_MIN)
		return;
	p->want.at = end - DEFAULT_SPAN_US;
	view_say(p->view, "replay: the last 10 minutes of output, from %s "
	    "(--at chooses)", stamp_text(text, p->want.at));
}

static enum view_status
play(struct replay *p)
{
	bool any = false;
	struct record r;
	int got;

	got = jread_range(p->in, p->want.at, p->want.until);
	while (got != -1 && !p->stop && !p->gone &&
	    (got = jread_next(p->in, &r)) == 1) {
		if (record_is_data(&r)) {
			play_record(p, &r);
			any = true;
		}
	}
	if (got == 0 && !p->stop && !p->gone &&
	    jread_unfinished(p->in, &r)) {
		play_record(p, &r);
		any = true;
	}
	if (p->view->tty && !p->gone && any) {
		const char *reset = strip_screen_reset();

		p->view->ops->write(p->view->arg, 1, reset, strlen(reset));
		p->view->ops->write(p->view->arg, 1, "\r\n", 2);
	}
	if (got == -1) {
		view_say(p->view, "replay: cannot read the journal: %s",
		    strerror(errno));
		return VIEW_FAILED;
	}
	if (!any) {
		view_say(p->view, "replay: nothing was recorded then");
		return VIEW_FAILED;
	}
	if (p->view->tty)
		view_say(p->view, "replay: %s", p->stop ? "ended" :
		    "end of the record");
	return VIEW_OK;
}

static const struct view_option options[] = {
	{ "--at", false, set_at,
	    "a time (RFC 3339, HH:MM[:SS] UTC today, -15min)" },
	{ "--until", false, set_until,
	    "a time (RFC 3339, HH:MM[:SS] UTC today, -15min)" },
	{ "--speed", false, set_speed, "a factor above 0, like 2 or 0.5" },
	{ "--idle", false, set_idle, "the longest pause, like 2 or 500ms" },
	{ "--raw", true, set_raw, "" },
	{ NULL, false, NULL, NULL },
};

enum view_status
replay_run(const struct view *v, int argc, char *const argv[])
{
	struct replay *p = xcalloc(1, sizeof(*p));
	enum view_status status;

	p->view = v;
	p->want = (struct want){
		.now = stamp_now().utc_us, .at = INT64_MIN,
		.until = INT64_MAX, .idle_us = -1, .speed = 1,
	};
	strip_screen_init(&p->screen, !v->tty);
	status = view_options(v, argc, argv, 2, options, &p->want);
	if (status == VIEW_OK && p->want.at > p->want.until) {
		view_say(v, "replay: --at is later than --until");
		status = VIEW_USAGE;
	}
	if (status == VIEW_OK)
		p->in = view_open(v, argc, argv, &status);
	if (p->in != NULL) {
		choose_start(p, argv[1]);
		status = play(p);
	}
	jread_close(p->in);
	free(p);
	return status;
}
