#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../server/base/clock.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "jread.h"
#include "logview.h"
#include "strip.h"
#include "when.h"

#define POLL_MS 100		/* how often --follow looks */
#define FOLLOW_TAIL 10		/* lines --follow begins with */
#define OUT_BYTES 65536
#define TAIL_MAX 1000000000
#define TIME_LEN 23		/* "2026-11-22T09:41:03.123", Z follows */

enum form {
	FORM_LINES,
	FORM_TEXT,
	FORM_RAW,
	FORM_JSON,
};

struct want {
	int64_t now, since, until, tail;	/* tail -1: all */
	bool follow, events;
	enum form form;
	int forms;		/* how often one was named */
};

struct log {
	const struct view *view;
	struct want want;
	struct jread *in;
	uint64_t skip;		/* lines still to be left out */
	uint64_t raw_pos;	/* device bytes before are out */
	unsigned raw_epoch;
	uint64_t line_end;	/* a piece that filled a record ended here */
	bool mid_line;		/* and its line may go on */
	bool gone;
	size_t n;
	char out[OUT_BYTES];
	char text[STRIP_ROOM(RECORD_BYTES)];
};

static int
set_since(void *conf, const char *value)
{
	struct want *w = conf;

	return when_parse(value, w->now, &w->since);
}

static int
set_until(void *conf, const char *value)
{
	struct want *w = conf;

	return when_parse(value, w->now, &w->until);
}

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

static void
flush(struct log *l)
{
	if (!l->gone && l->n > 0 &&
	    l->view->ops->write(l->view->arg, 1, l->out, l->n) == -1)
		l->gone = true;
	l->n = 0;
}

static void
put(struct log *l, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0 && !l->gone) {
		size_t part = n < OUT_BYTES - l->n ? n : OUT_BYTES - l->n;

		memcpy(l->out + l->n, p, part);
		l->n += part;
		p += part;
		n -= part;
		if (l->n == OUT_BYTES)
			flush(l);
	}
}

static void
put_string(struct log *l, const char *s)
{
	put(l, s, strlen(s));
}

static void
put_newline(struct log *l)
{
	put_string(l, l->view->tty ? "\r\n" : "\n");
}

static void
put_time(struct log *l, int64_t utc_us)
{
	char text[STAMP_TEXT];

	stamp_text(text, utc_us);
	put(l, text, TIME_LEN);
	put_string(l, "Z ");
}

/*
 * Events begin with "-- ", which no line of the device can: its lines begin
 * with their time, or are set off by a blank where there is none.
 */
static void
show_event(struct log *l, const struct record *r)
{
	if (l->mid_line)
		put_newline(l);
	l->mid_line = false;
	put_string(l, "-- ");
	put_time(l, r->stamp.utc_us);
	if (r->type == RECORD_INPUT)
		put_string(l, "input ");
	str_safe(l->text, sizeof(l->text), r->data, r->n);
	put_string(l, l->text);
	put_newline(l);
}

static void
show_line(struct log *l, const struct record *r)
{
	size_t n = strip_line(r->data, r->n, l->text, sizeof(l->text));

	if (!l->mid_line || r->offset != l->line_end) {
		if (l->mid_line)
			put_newline(l);
		if (l->want.form == FORM_LINES)
			put_time(l, r->stamp.utc_us);
		else if (l->want.events && strncmp(l->text, "-- ", 3) == 0)
			put_string(l, " ");
	}
	put(l, l->text, n);
	l->mid_line = r->type == RECORD_CUT && r->n == RECORD_BYTES;
	l->line_end = record_end(r);
	if (!l->mid_line)
		put_newline(l);
}

static void
show_raw(struct log *l, const struct record *r)
{
	size_t from = record_find(r, l->want.since);
	size_t to = r->n + record_term(r);

	if (l->want.until < INT64_MAX)
		to = record_find(r, l->want.until + 1);
	if (jread_epoch(l->in) != l->raw_epoch) {
		l->raw_epoch = jread_epoch(l->in);
		l->raw_pos = 0;
	}
	if (r->offset + from < l->raw_pos)
		from = (size_t)(l->raw_pos - r->offset);
	if (from >= to)
		return;
	put(l, r->data + from, to - from);
	l->raw_pos = r->offset + to;
}

static json_t *
base64(const uint8_t *p, size_t n)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = xmalloc((n + 2) / 3 * 4 + 1), *o = text;
	json_t *s;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			v |= p[i + 2];
		*o++ = set[v >> 18];
		*o++ = set[v >> 12 & 63];
		*o++ = i + 1 < n ? set[v >> 6 & 63] : '=';
		*o++ = i + 2 < n ? set[v & 63] : '=';
	}
	*o = '\0';
	s = json_string(text);
	free(text);
	return s;
}

static void
show_json(struct log *l, const struct record *r)
{
	char time[STAMP_TEXT], type[2] = { (char)r->type, '\0' }, *text;
	json_t *o = json_object();
	size_t n;

	if (record_is_data(r)) {
		n = strip_line(r->data, r->n, l->text, sizeof(l->text));
	} else {
		str_safe(l->text, sizeof(l->text), r->data, r->n);
		n = strlen(l->text);
	}
	json_object_set_new(o, "time",
	    json_string(stamp_text(time, r->stamp.utc_us)));
	json_object_set_new(o, "mono",
	    json_real((double)r->stamp.mono.us / 1e6));
	json_object_set_new(o, "type", json_string(type));
	json_object_set_new(o, "offset", json_integer((json_int_t)r->offset));
	json_object_set_new(o, "text", json_stringn(l->text, n));
	if (record_is_data(r) &&
	    (n != r->n || memcmp(l->text, r->data, n) != 0))
		json_object_set_new(o, "raw_base64",
		    base64(r->data, r->n + record_term(r)));
	text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(o);
	if (text == NULL)
		return;
	put_string(l, text);
	put_newline(l);
	free(text);
}

static void
show(struct log *l, const struct record *r)
{
	if (!record_is_data(r)) {
		if (!l->want.events || l->skip > 0)
			return;
		if (l->want.form == FORM_JSON)
			show_json(l, r);
		else
			show_event(l, r);
		return;
	}
	if (l->skip > 0) {
		l->skip--;
		return;
	}
	switch (l->want.form) {
	case FORM_LINES: case FORM_TEXT:
		show_line(l, r);
		break;
	case FORM_RAW:
		show_raw(l, r);
		break;
	case FORM_JSON:
		show_json(l, r);
		break;
	}
}

/* Everything there is now.  0, or -1 with errno. */
static int
drain(struct log *l)
{
	struct record r;
	int got = 0;

	while (!l->gone && (got = jread_next(l->in, &r)) == 1)
		show(l, &r);
	/* An unfinished line: raw, its bytes now; else once it is whole. */
	if ((l->want.form == FORM_RAW || !l->want.follow) &&
	    jread_unfinished(l->in, &r))
		show(l, &r);
	if (l->mid_line && !l->want.follow)
		put_newline(l);
	flush(l);
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
	if (j != NULL && jread_range(j, w->since, w->until) == 0) {
		while ((got = jread_next(j, &r)) == 1)
			*count += record_is_data(&r);
		*count += jread_unfinished(j, &r);
	}
	jread_close(j);
	return got;
}

static int
start(struct log *l, const char *console)
{
	struct want *w = &l->want;
	uint64_t count;

	if (w->follow && w->tail == -1 && w->since == INT64_MIN)
		w->tail = FOLLOW_TAIL;
	if (w->tail == -1)
		return jread_range(l->in, w->since, w->until);
	if (w->since == INT64_MIN && w->until == INT64_MAX)
		return jread_tail(l->in, (size_t)w->tail);
	if (count_lines(w, l->view->log_dir, console, &count) == -1)
		return -1;
	if (count > (uint64_t)w->tail)
		l->skip = count - (uint64_t)w->tail;
	return jread_range(l->in, w->since, w->until);
}

static enum view_status
run(struct log *l, const char *console)
{
	uint64_t damaged;
	int key, got = start(l, console);

	if (got == 0)
		got = drain(l);
	while (got == 0 && l->want.follow && !l->gone && !jread_is_past(l->in)) {
		key = l->view->ops->wait(l->view->arg, POLL_MS);
		if (key == VIEW_GONE || key == 'q' || key == 3)
			return VIEW_OK;
		got = drain(l);
	}
	if (got == -1) {
		view_say(l->view, "log: cannot read the journal: %s",
		    strerror(errno));
		return VIEW_FAILED;
	}
	damaged = jread_damaged(l->in);
	if (damaged > 0)
		view_say(l->view, "log: %llu damaged lines passed over",
		    (unsigned long long)damaged);
	return VIEW_OK;
}

static const struct view_option options[] = {
	{ "--since", false, set_since,
	    "a time (RFC 3339, HH:MM[:SS] UTC today, -15min, now)" },
	{ "--until", false, set_until,
	    "a time (RFC 3339, HH:MM[:SS] UTC today, -15min, now)" },
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
	else if (w->since > w->until)
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

	l->view = v;
	l->want.now = stamp_now().utc_us;
	l->want.since = INT64_MIN;
	l->want.until = INT64_MAX;
	l->want.tail = -1;
	status = view_options(v, argc, argv, options, &l->want);
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
