#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "jdir.h"
#include "jread.h"
#include "logview.h"
#include "strip.h"
#include "viewout.h"

#define POLL_MS 100		/* how often --follow looks */
#define FOLLOW_TAIL 10		/* lines --follow begins with */
#define TAIL_MAX 1000000000

enum form {
	FORM_LINES,
	FORM_TEXT,
	FORM_RAW,
	FORM_JSON,
};

struct want {
	struct view_span span;
	int64_t tail;		/* -1: all */
	bool follow, events;
	enum form form;
	int forms;		/* how often one was named */
};

struct log {
	struct want want;
	struct jread *in;
	uint64_t skip;		/* lines still to be left out */
	uint64_t raw_pos;	/* device bytes before are out */
	unsigned raw_epoch;
	uint64_t line_end;	/* a piece that filled a record ended here */
	bool mid_line;		/* and its line may go on */
	struct viewout out;
	char text[STRIP_ROOM(RECORD_BYTES)];
};

static int
set_tail(void *conf, const char *value)
{
	struct want *w = conf;

	return str_int(value, 0, TAIL_MAX, &w->tail);
}

static int
set_follow(void *conf, const char *value)
{
	struct want *w = conf;

	(void)value;
	w->follow = true;
	return 0;
}

static int
set_events(void *conf, const char *value)
{
	struct want *w = conf;

	(void)value;
	w->events = true;
	return 0;
}

static int
set_form(struct want *w, enum form form)
{
	w->form = form;
	w->forms++;
	return 0;
}

static int
set_raw(void *conf, const char *value)
{
	(void)value;
	return set_form(conf, FORM_RAW);
}

static int
set_text(void *conf, const char *value)
{
	(void)value;
	return set_form(conf, FORM_TEXT);
}

static int
set_json(void *conf, const char *value)
{
	(void)value;
	return set_form(conf, FORM_JSON);
}

/*
 * Events begin with "-- ", which no line of the device can: its lines begin
 * with their time, or are set off by a blank where there is none.
 */
static void
show_event(struct log *l, const struct record *r)
{
	if (l->mid_line)
		viewout_newline(&l->out);
	l->mid_line = false;
	viewout_string(&l->out, "-- ");
	viewout_time(&l->out, r->stamp.utc_us);
	if (r->type == RECORD_INPUT)
		viewout_string(&l->out, "input ");
	str_safe(l->text, sizeof(l->text), r->data, r->n);
	viewout_string(&l->out, l->text);
	viewout_newline(&l->out);
}

static void
show_line(struct log *l, const struct record *r)
{
	size_t n = strip_line(r->data, r->n, l->text, sizeof(l->text));

	if (!l->mid_line || r->offset != l->line_end) {
		if (l->mid_line)
			viewout_newline(&l->out);
		if (l->want.form == FORM_LINES)
			viewout_time(&l->out, r->stamp.utc_us);
		else if (l->want.events && strncmp(l->text, "-- ", 3) == 0)
			viewout_string(&l->out, " ");
	}
	viewout_put(&l->out, l->text, n);
	l->mid_line = r->type == RECORD_CUT && r->n == RECORD_BYTES;
	l->line_end = record_end(r);
	if (!l->mid_line)
		viewout_newline(&l->out);
}

static void
show_raw(struct log *l, const struct record *r)
{
	size_t from = record_find(r, l->want.span.since);
	size_t to = r->n + record_term(r);

	if (l->want.span.until < INT64_MAX)
		to = record_find(r, l->want.span.until + 1);
	if (jread_epoch(l->in) != l->raw_epoch) {
		l->raw_epoch = jread_epoch(l->in);
		l->raw_pos = 0;
	}
	if (r->offset + from < l->raw_pos)
		from = (size_t)(l->raw_pos - r->offset);
	if (from >= to)
		return;
	viewout_put(&l->out, r->data + from, to - from);
	l->raw_pos = r->offset + to;
}

/* Events without the lines between which they stand. */
static bool
is_timeline(const struct want *w)
{
	return w->events && w->form == FORM_LINES;
}

/* Is it one of those that --tail counts? */
static bool
is_counted(const struct want *w, const struct record *r)
{
	return record_is_data(r) != is_timeline(w);
}

static void
show(struct log *l, const struct record *r)
{
	if (l->skip > 0) {
		l->skip -= is_counted(&l->want, r);
		return;
	}
	if (!record_is_data(r)) {
		if (!l->want.events)
			return;
		if (l->want.form == FORM_JSON)
			viewout_json(&l->out, r, l->text, json_object());
		else
			show_event(l, r);
		return;
	}
	if (is_timeline(&l->want))
		return;
	switch (l->want.form) {
	case FORM_LINES: case FORM_TEXT:
		show_line(l, r);
		break;
	case FORM_RAW:
		show_raw(l, r);
		break;
	case FORM_JSON:
		viewout_json(&l->out, r, l->text, json_object());
		break;
	}
}

/* Everything there is now.  0, or -1 with errno. */
static int
drain(struct log *l)
{
	struct record r;
	int got = 0;

	while (!l->out.gone && (got = jread_next(l->in, &r)) == 1)
		show(l, &r);
	/* An unfinished line: raw, its bytes now; else once it is whole. */
	if ((l->want.form == FORM_RAW || !l->want.follow) &&
	    jread_unfinished(l->in, &r))
		show(l, &r);
	if (l->mid_line && !l->want.follow)
		viewout_newline(&l->out);
	viewout_flush(&l->out);
	return got;
}

/* Lines in the range, for --tail within one. */
static int
count_lines(const struct want *w, const char *log_dir, const char *console,
    uint64_t *count)
{
	struct jread *j = jread_open(log_dir, console);
	struct record r;
	int got = -1;

	*count = 0;
	if (j != NULL && jread_range(j, w->span.since, w->span.until) == 0) {
		while ((got = jread_next(j, &r)) == 1)
			*count += is_counted(w, &r);
		*count += !is_timeline(w) && jread_unfinished(j, &r);
	}
	jread_close(j);
	return got;
}

static int
start(struct log *l, const char *console)
{
	struct want *w = &l->want;
	uint64_t count;

	if (w->follow && w->tail == -1 && w->span.since == INT64_MIN)
		w->tail = FOLLOW_TAIL;
	if (w->tail == -1)
		return jread_range(l->in, w->span.since, w->span.until);
	if (w->span.since == INT64_MIN && w->span.until == INT64_MAX &&
	    (w->follow || !is_timeline(w)))
		return jread_tail(l->in, (size_t)w->tail);
	if (count_lines(w, l->out.view->log_dir, console, &count) == -1)
		return -1;
	if (count > (uint64_t)w->tail)
		l->skip = count - (uint64_t)w->tail;
	return jread_range(l->in, w->span.since, w->span.until);
}

static enum view_status
run(struct log *l, const char *console)
{
	uint64_t damaged;
	int key, got = start(l, console);

	if (got == 0)
		got = drain(l);
	while (got == 0 && l->want.follow && !l->out.gone &&
	    !jread_is_past(l->in)) {
		key = l->out.view->ops->wait(l->out.view->arg, POLL_MS);
		if (key == VIEW_GONE || key == 'q' || key == 3)
			return VIEW_OK;
		got = drain(l);
	}
	if (got == -1) {
		view_say(l->out.view, "log: cannot read the journal: %s",
		    strerror(errno));
		return VIEW_FAILED;
	}
	damaged = jread_damaged(l->in);
	if (damaged > 0)
		view_say(l->out.view, "log: %llu damaged lines passed over",
		    (unsigned long long)damaged);
	return VIEW_OK;
}

static const struct view_option options[] = {
	{ "--since", false, view_set_since, VIEW_TIME },
	{ "--until", false, view_set_until, VIEW_TIME },
	{ "--tail", false, set_tail, "a number of lines" },
	{ "--follow", true, set_follow, "" },
	{ "--events", true, set_events, "" },
	{ "--raw", true, set_raw, "" },
	{ "--text", true, set_text, "" },
	{ "--json", true, set_json, "" },
	{ NULL, false, NULL, NULL },
};

static enum view_status
check(const struct view *v, const struct want *w)
{
	const char *why = NULL;

	if (w->forms > 1)
		why = "--raw, --text and --json exclude each other";
	else if (w->form == FORM_RAW && w->events)
		why = "--raw is the device's bytes alone, without --events";
	else if (w->span.since > w->span.until)
		why = "--since is later than --until";
	if (why == NULL)
		return VIEW_OK;
	view_say(v, "log: %s", why);
	return VIEW_USAGE;
}

enum view_status
logview_run(const struct view *v, int argc, char *const argv[])
{
	struct log *l = xcalloc(1, sizeof(*l));
	enum view_status status;

	l->out.view = v;
	view_span_init(&l->want.span);
	l->want.tail = -1;
	status = view_options(v, argc, argv, 2, options, &l->want);
	/* There is nothing else in it. */
	if (status == VIEW_OK && argc > 1 && strcmp(argv[1], JDIR_BOX) == 0)
		l->want.events = true;
	if (status == VIEW_OK)
		status = check(v, &l->want);
	if (status == VIEW_OK)
		l->in = view_open(v, argc, argv, &status);
	if (l->in != NULL)
		status = run(l, argv[1]);
	jread_close(l->in);
	free(l);
	return status;
}
