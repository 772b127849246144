#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/clock.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "jread.h"
#include "pieces.h"
#include "replay.h"
#include "replay_find.h"
#include "replay_keys.h"
#include "stage.h"
#include "when.h"

#define NEVER (INT64_MIN / 2)	/* before all there is; time can be added */
#define DEFAULT_SPAN_US INT64_C(600000000)	/* without --at: 10 min */
#define SPEED_MAX 64.0
#define SPEED_ARG_MAX 100000.0
#define LATE_US 100000		/* further behind than this: do not catch up */
#define LOOK_US 50000		/* look for keys at least this often */
#define STATUS_MS 250		/* and tell how far we are */
#define FOR_EVER (-1)
#define SEC INT64_C(1000000)
#define TOLD_BYTES 160

struct want {
	int64_t now, at, until;		/* at INT64_MIN: not given */
	int64_t idle_us;		/* longest pause; -1: as it was */
	double speed;
	bool raw;
};

struct replay {
	const struct view *view;
	const char *console;
	struct want want;
	int64_t end;			/* of the record, UTC */
	struct stage *stage;
	struct replay_keys keys;
	enum replay_key asked;		/* what the line is for */
	enum replay_key again;		/* the last search's direction */
	char search[REPLAY_LINE];
	char told[TOLD_BYTES];		/* event, or what went wrong */
	/* What is read, and the piece to be shown next. */
	struct jread *in;
	struct pieces *pieces;
	bool has_piece;
	struct piece piece;
	int64_t due;			/* mono us: when it is shown */
	int64_t pos;			/* UTC of what is shown */
	int64_t played_us;		/* on the pieces' clock */
	int64_t looked, drawn;		/* mono us */
	bool paused, step, stop, gone, any, failed;
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

static int
set_speed(void *conf, const char *value)
{
	return view_positive(value, SPEED_ARG_MAX,
	    &((struct want *)conf)->speed);
}

static int
set_idle(void *conf, const char *value)
{
	return view_seconds(value, &((struct want *)conf)->idle_us);
}

static int
set_raw(void *conf, const char *value)
{
	(void)value;
	((struct want *)conf)->raw = true;
	return 0;
}

/* Keep looking at the one who looks on, in whatever takes long. */
static bool
go_on(void *arg)
{
	struct replay *p = arg;
	int key = p->view->ops->wait(p->view->arg, 0);

	p->gone = p->gone || key == VIEW_GONE;
	p->stop = p->stop || (p->view->tty && (key == 'q' || key == 3));
	return !p->gone && !p->stop;
}

static struct replay_find
finder(struct replay *p)
{
	return (struct replay_find){ p->view->log_dir, p->console, NEVER,
	    p->want.until == INT64_MAX ? INT64_MAX : p->want.until + 1,
	    go_on, p };
}

/* "02:10:05" */
static void
span_text(char dst[16], int64_t us)
{
	int64_t s = us < 0 ? 0 : us / SEC;

	snprintf(dst, 16, "%02d:%02d:%02d", (int)(s / 3600 % 1000),
	    (int)(s / 60 % 60), (int)(s % 60));
}

/* Where we are: what was shown last, and the time that went by since. */
static int64_t
now_at(const struct replay *p)
{
	int64_t left, at;

	if (!p->has_piece || p->paused)
		return p->pos;
	left = (int64_t)((double)(p->due - mono_now().us) * p->want.speed);
	at = p->piece.utc_us - (left > 0 ? left : 0);
	return at > p->pos ? at : p->pos;
}

static void
draw_status(struct replay *p)
{
	char pos[16], total[16], utc[STAMP_TEXT], text[STAGE_STATUS];
	int64_t at = now_at(p);

	p->drawn = mono_now().us;
	if (p->keys.asking) {
		snprintf(text, sizeof(text), " %s %s", p->asked ==
		    REPLAY_KEY_GO ? "go to:" : p->asked == REPLAY_KEY_SEARCH ?
		    "/" : "?", p->keys.line);
		stage_status(p->stage, text);
		return;
	}
	span_text(pos, at - p->want.at);
	span_text(total, p->end - p->want.at);
	stamp_text(utc, at);
	snprintf(text, sizeof(text), " %s / %s  %.10s %.8sZ  x%g%s  %s%s",
	    pos, total, utc, utc + 11, p->want.speed,
	    p->paused ? "  paused" : p->has_piece ? "" : "  end",
	    p->told, *p->told == '\0' ? "h: help" : "");
	stage_status(p->stage, text);
}

static void
tell(struct replay *p, const char *text)
{
	snprintf(p->told, sizeof(p->told), "%s", text);
}

/* The next piece is read, and when it is due told. */
static void
next_piece(struct replay *p)
{
	int got = pieces_next(p->pieces, &p->piece);
	int64_t us;

	p->has_piece = got == 1;
	if (got == -1) {
		p->failed = p->stop = true;
		return;
	}
	if (!p->has_piece)
		return;
	us = p->piece.us - p->played_us;
	p->played_us = p->piece.us;
	p->due += (int64_t)((double)us / p->want.speed);
}

/* Show it. */
static void
play_piece(struct replay *p)
{
	if (p->piece.utc_us > p->pos)
		p->pos = p->piece.utc_us;
	if (p->piece.kind == PIECE_EVENT) {
		tell(p, (const char *)p->piece.data);
		return;
	}
	p->any = true;
	stage_write(p->stage, p->piece.data, p->piece.n);
}

static void
close_pieces(struct replay *p)
{
	pieces_free(p->pieces);
	jread_close(p->in);
	p->pieces = NULL;
	p->in = NULL;
	p->has_piece = false;
}

/* Read from there on.  0 or -1. */
static int
open_pieces(struct replay *p, int64_t from, int64_t since)
{
	close_pieces(p);
	p->in = jread_open(p->view->log_dir, p->console);
	if (p->in == NULL || jread_range(p->in, from, p->want.until) == -1)
		return -1;
	p->pieces = pieces_new(p->in, since, p->want.until, p->want.idle_us);
	p->played_us = 0;
	return 0;
}

/* Go through what was before `to`, from `from` on.  0 or -1. */
static int
go_through(struct replay *p, int64_t from, int64_t to)
{
	int n = 0, got = open_pieces(p, from, to);

	stage_rewind(p->stage);
	*p->told = '\0';
	while (got == 0 && (got = pieces_next(p->pieces, &p->piece)) == 1) {
		if (p->piece.utc_us > to) {
			p->has_piece = true;
			break;
		}
		if (p->piece.kind == PIECE_EVENT)
			tell(p, (const char *)p->piece.data);
		else
			stage_feed(p->stage, p->piece.data, p->piece.n);
		got = 0;
		if (++n % 4096 == 0 && !go_on(p))
			break;
	}
	return got == -1 ? -1 : 0;
}

/*
 * Be at that time: with the screen as it was then.  Spans before it are gone
 * through, longer and longer ones, until one tells the whole screen.
 */
static void
go_to(struct replay *p, int64_t to)
{
	struct replay_find f = finder(p);
	int64_t span = 0, from, us;
	int got = 0;

	if (to > p->end)
		to = p->end;
	if (to < p->want.at)
		to = p->want.at;
	while (got == 0 && !stage_is_gone(p->stage) && !p->stop &&
	    replay_find_span(&f, to, &span, &from)) {
		got = go_through(p, from, to);
		if (stage_is_known(p->stage))
			break;
	}
	if (got == -1) {
		p->failed = p->stop = true;
		return;
	}
	stage_show(p->stage);
	p->pos = to;
	p->due = mono_now().us;
	if (p->has_piece) {
		/* From the beginning of all time nothing is waited for. */
		us = to == NEVER ? 0 : p->piece.utc_us - to;
		if (p->want.idle_us != -1 && us > p->want.idle_us)
			us = p->want.idle_us;
		p->played_us = p->piece.us;
		p->due += (int64_t)((double)us / p->want.speed);
	}
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
find_event(struct replay *p, bool back)
{
	struct replay_find f = finder(p);
	/* Going back from just behind one means the one before. */
	int64_t at = back ? now_at(p) - SEC : p->pos, found;

	if (replay_find_event(&f, at, back, &found) == 0)
		go_to(p, found);
	else
		tell(p, back ? "no event before" : "no event after");
}

static void
find_line(struct replay *p)
{
	struct replay_find f = finder(p);
	bool back = p->again == REPLAY_KEY_SEARCH_BACK;
	char why[128];
	int64_t found;

	switch (*p->search == '\0' ? -1 : replay_find_line(&f, p->pos, back,
	    p->search, &found, why)) {
	case 0:
		go_to(p, found);
		break;
	case -1:
		tell(p, "not found");
		break;
	default:
		tell(p, why);
		break;
	}
}

/* A line was asked for, and is there. */
static void
on_line(struct replay *p)
{
	int64_t to;

	if (p->asked == REPLAY_KEY_GO) {
		if (when_parse(p->keys.line, p->pos, &to) == 0)
			go_to(p, to);
		else
			tell(p, "no time: 02:10, -5min or "
			    "2026-11-22T02:10:00Z");
		return;
	}
	p->again = p->asked;
	snprintf(p->search, sizeof(p->search), "%s", p->keys.line);
	find_line(p);
}

static void
show_help(struct replay *p)
{
	int key;

	if (!stage_has_status(p->stage))
		return;
	stage_page(p->stage, replay_keys_help());
	key = p->view->ops->wait(p->view->arg, FOR_EVER);
	p->gone = key == VIEW_GONE;
	p->stop = key == 'q' || key == 3;
	if (!p->gone && !p->stop)
		go_to(p, p->pos);
}

static void
on_command(struct replay *p, enum replay_key key)
{
	switch (key) {
	case REPLAY_KEY_NONE: case REPLAY_KEY_CANCEL:
		break;
	case REPLAY_KEY_QUIT:
		p->stop = true;
		break;
	case REPLAY_KEY_PAUSE:
		p->paused = !p->paused;
		break;
	case REPLAY_KEY_STEP:
		p->paused = p->step = true;
		break;
	case REPLAY_KEY_FASTER:
		set_pace(p, p->want.speed * 2);
		break;
	case REPLAY_KEY_SLOWER:
		set_pace(p, p->want.speed / 2);
		break;
	case REPLAY_KEY_BACK:
		go_to(p, now_at(p) - 10 * SEC);
		break;
	case REPLAY_KEY_FORWARD:
		go_to(p, now_at(p) + 10 * SEC);
		break;
	case REPLAY_KEY_BACK_FAR:
		go_to(p, now_at(p) - 60 * SEC);
		break;
	case REPLAY_KEY_FORWARD_FAR:
		go_to(p, now_at(p) + 60 * SEC);
		break;
	case REPLAY_KEY_NEXT:
		find_event(p, false);
		break;
	case REPLAY_KEY_PREVIOUS:
		find_event(p, true);
		break;
	case REPLAY_KEY_AGAIN:
		find_line(p);
		break;
	case REPLAY_KEY_SEARCH: case REPLAY_KEY_SEARCH_BACK:
	case REPLAY_KEY_GO:
		p->asked = key;
		replay_keys_ask(&p->keys);
		break;
	case REPLAY_KEY_HELP:
		show_help(p);
		break;
	case REPLAY_KEY_LINE:
		on_line(p);
		break;
	}
}

/* Wait so long for a key, and obey it. */
static void
take_key(struct replay *p, int64_t ms)
{
	int64_t before = mono_now().us;
	bool held = p->paused || p->keys.asking;
	int key = p->view->ops->wait(p->view->arg, ms);

	p->looked = mono_now().us;
	/* While it is held nothing becomes due. */
	if (held)
		p->due += p->looked - before;
	if (key == VIEW_GONE)
		p->gone = true;
	else if (key >= 0 && p->view->tty)
		on_command(p, replay_keys_byte(&p->keys, key));
	else if (key == VIEW_TIMEOUT && p->keys.escape == 1)
		p->keys.escape = 0;	/* just that key */
}

/*
 * Wait until the piece is due, obeying keys.  False: there is another one to
 * wait for, or none.
 */
static bool
wait_due(struct replay *p)
{
	int64_t now = mono_now().us, ms;
	bool held = p->paused || p->keys.asking || !p->has_piece;

	if (stage_has_status(p->stage) && now - p->drawn > STATUS_MS * 500)
		draw_status(p);
	if (!held && p->due <= now && now - p->looked < LOOK_US)
		return true;
	ms = held ? FOR_EVER : p->due > now ? (p->due - now + 500) / 1000 : 0;
	if (!held && stage_has_status(p->stage) && ms > STATUS_MS)
		ms = STATUS_MS;
	if (held && stage_has_status(p->stage))
		draw_status(p);
	take_key(p, ms);
	if (p->step && p->has_piece) {
		p->step = false;
		p->due = mono_now().us;
		return true;
	}
	held = p->paused || p->keys.asking;
	now = mono_now().us;
	return p->has_piece && !held && !p->stop && p->due - now <= 500;
}

/* When the last output came; NEVER when there is none. */
static int64_t
last_output(const struct view *v, const char *console)
{
	struct jread *j = jread_open(v->log_dir, console);
	int64_t last = NEVER;
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
choose_span(struct replay *p)
{
	char text[STAMP_TEXT];

	p->end = p->want.until;
	if (p->end == INT64_MAX || (p->view->tty && p->end > p->want.now))
		p->end = last_output(p->view, p->console);
	if (p->want.at != INT64_MIN)
		return;
	p->want.at = p->end == NEVER ? NEVER : p->end - DEFAULT_SPAN_US;
	if (p->end == NEVER)
		return;
	view_say(p->view, "replay: the last 10 minutes of output, from %s "
	    "(--at chooses)", stamp_text(text, p->want.at));
}

static void
run(struct replay *p)
{
	next_piece(p);
	/* What stood there before is there, too. */
	if (stage_has_status(p->stage) && p->has_piece && !p->stop) {
		p->any = true;
		go_to(p, p->want.at);
	}
	while (!p->stop && !p->gone && !stage_is_gone(p->stage) &&
	    (p->has_piece || (stage_has_status(p->stage) && p->any))) {
		if (!wait_due(p) || p->stop || p->gone)
			continue;
		play_piece(p);
		if (mono_now().us - p->due > LATE_US)
			p->due = mono_now().us;
		next_piece(p);
	}
}

static enum view_status
play(struct replay *p)
{
	p->due = mono_now().us;
	p->pos = p->want.at;
	if (open_pieces(p, p->want.at, p->want.at) == -1) {
		p->failed = true;
	} else {
		stage_open(p->stage);
		run(p);
		if (p->any || stage_has_status(p->stage))
			stage_close(p->stage);
	}
	if (p->failed) {
		view_say(p->view, "replay: cannot read the journal: %s",
		    strerror(errno));
		return VIEW_FAILED;
	}
	if (!p->any && !p->stop && !p->gone) {
		view_say(p->view, "replay: nothing was recorded then");
		return VIEW_FAILED;
	}
	if (p->view->tty)
		view_say(p->view, "replay: %s", p->stop ? "ended" :
		    "end of the record");
	return VIEW_OK;
}

static const struct view_option options[] = {
	{ "--at", false, set_at, VIEW_TIME },
	{ "--until", false, set_until, VIEW_TIME },
	{ "--speed", false, set_speed, "a factor above 0, like 2 or 0.5" },
	{ "--idle", false, set_idle, VIEW_SECONDS },
	{ "--raw", true, set_raw, "" },
	{ NULL, false, NULL, NULL },
};

enum view_status
replay_run(const struct view *v, int argc, char *const argv[])
{
	struct replay *p = xcalloc(1, sizeof(*p));
	enum view_status status;
	struct jread *j = NULL;

	p->view = v;
	p->want = (struct want){
		.now = stamp_now().utc_us, .at = INT64_MIN,
		.until = INT64_MAX, .idle_us = -1, .speed = 1,
	};
	status = view_options(v, argc, argv, 2, options, &p->want);
	if (status == VIEW_OK && p->want.at > p->want.until) {
		view_say(v, "replay: --at is later than --until");
		status = VIEW_USAGE;
	}
	if (status == VIEW_OK)
		j = view_open(v, argc, argv, &status);
	jread_close(j);
	if (status == VIEW_OK) {
		p->console = argv[1];
		p->stage = stage_new(v, p->want.raw);
		choose_span(p);
		status = play(p);
		close_pieces(p);
		stage_free(p->stage);
	}
	free(p);
	return status;
}
