#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/clock.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "cast.h"
#include "export.h"
#include "export_html.h"
#include "jread.h"
#include "pieces.h"
#include "strip.h"
#include "ttyrec.h"
#include "typescript.h"
#include "viewout.h"

#define SCREEN_ROOM STRIP_SCREEN_ROOM(RECORD_BYTES + 2)
#define SIDE_MAX 1000

struct format;

struct want {
	struct view_span span;
	int64_t idle_us;		/* -1: as it was */
	const struct format *format;
	unsigned columns, rows;
	bool raw;
	const char *state;		/* folder, or NULL */
};

struct export {
	struct want want;
	struct viewout out;
	const char *console;
	struct jread_place stop;	/* as far as it goes: each pass sees
					   the same, and it ends */
	export_vouch *vouch;
	int64_t begin_utc;		/* of the first piece */
	int64_t us;			/* of the last one */
	struct strip_screen screen;
	struct cast cast;
	struct typescript script;
	uint64_t size;			/* of what a pass would write */
	uint8_t shown[SCREEN_ROOM];
	char text[CAST_ROOM(SCREEN_ROOM)];
};

/*
 * One pass over the span.  begin says 0, or -1: it cannot be done, and why
 * was said.  Pieces come filtered, unless --raw.
 */
struct pass {
	int (*begin)(struct export *);
	void (*data)(struct export *, const struct piece *);
	void (*event)(struct export *, const struct piece *);
	void (*end)(struct export *);
};

struct format {
	const char *name;
	enum view_status (*run)(struct export *);
	struct pass pass;		/* where run is pass_alone */
};

/* asciicast. */

static int
begin_cast(struct export *e, int version)
{
	char text[STAMP_TEXT], title[128], line[CAST_HEAD_ROOM(128)];
	struct cast_head h = { .columns = e->want.columns,
	    .rows = e->want.rows, .utc_s = e->begin_utc / 1000000,
	    .title = title };

	stamp_text(text, e->begin_utc);
	snprintf(title, sizeof(title), "console %s, %.10s %.8s UTC",
	    e->console, text, text + 11);
	viewout_put(&e->out, line, cast_begin(&e->cast, version, &h, line));
	return 0;
}

static int
begin_cast2(struct export *e)
{
	return begin_cast(e, 2);
}

static int
begin_cast3(struct export *e)
{
	return begin_cast(e, 3);
}

static void
cast_piece(struct export *e, const struct piece *p)
{
	viewout_put(&e->out, e->text, cast_data(&e->cast, p->us, p->data, p->n,
	    e->text));
}

static void
cast_event(struct export *e, const struct piece *p)
{
	viewout_put(&e->out, e->text, cast_marker(&e->cast, p->us,
	    (const char *)p->data, e->text));
}

static void
end_cast(struct export *e)
{
	viewout_put(&e->out, e->text, cast_end(&e->cast, e->us, e->text));
}

/* A page. */

static int
begin_html(struct export *e)
{
	const struct export_span span = { e->console, e->want.state,
	    e->begin_utc, e->want.span.until };
	char verified[EXPORT_VOUCHED];
	struct export_page page = { .console = e->console,
	    .since_us = span.since_us, .until_us = span.until_us,
	    .verified = verified };

	if (page.until_us > e->want.span.now)
		page.until_us = e->want.span.now;
	if (page.until_us < page.since_us)
		page.until_us = page.since_us;

	e->vouch(e->out.view, &span, verified, sizeof(verified));
	if (export_html_begin(&e->out, &page) == -1)
		return -1;
	return begin_cast2(e);
}

static void
end_html(struct export *e)
{
	end_cast(e);
	export_html_end(&e->out);
}

/* ttyrec. */

static void
ttyrec_piece(struct export *e, const struct piece *p)
{
	uint8_t head[TTYREC_HEAD];

	ttyrec_head(head, e->begin_utc + p->us, (uint32_t)p->n);
	viewout_put(&e->out, head, sizeof(head));
	viewout_put(&e->out, p->data, p->n);
}

/*
 * script: an archive of what was shown and of its timing.  The headers tell
 * the sizes, so the span is gone over three times.
 */
static int
begin_size(struct export *e)
{
	char line[TYPESCRIPT_LINE];

	e->size = typescript_first_line(line, e->begin_utc, e->want.columns,
	    e->want.rows);
	return 0;
}

static void
size_piece(struct export *e, const struct piece *p)
{
	e->size += p->n;
}

/* No more than the header said: the journal may grow meanwhile. */
static void
put_sized(struct export *e, const void *data, size_t n)
{
	if (n > e->size)
		n = (size_t)e->size;
	viewout_put(&e->out, data, n);
	e->size -= n;
}

static int
begin_script(struct export *e)
{
	char line[TYPESCRIPT_LINE];

	put_sized(e, line, typescript_first_line(line, e->begin_utc,
	    e->want.columns, e->want.rows));
	return 0;
}

static void
script_piece(struct export *e, const struct piece *p)
{
	put_sized(e, p->data, p->n);
}

static int
begin_timing_size(struct export *e)
{
	char lines[4 * TYPESCRIPT_LINE];

	e->size = typescript_begin(&e->script, lines, e->begin_utc,
	    e->want.columns, e->want.rows);
	return 0;
}

static void
timing_size_piece(struct export *e, const struct piece *p)
{
	char line[TYPESCRIPT_LINE];

	e->size += typescript_timing(&e->script, line, p->us, p->n);
}

static int
begin_timing(struct export *e)
{
	char lines[4 * TYPESCRIPT_LINE];

	put_sized(e, lines, typescript_begin(&e->script, lines, e->begin_utc,
	    e->want.columns, e->want.rows));
	return 0;
}

static void
timing_piece(struct export *e, const struct piece *p)
{
	char line[TYPESCRIPT_LINE];

	put_sized(e, line, typescript_timing(&e->script, line, p->us, p->n));
}

/* Running them. */

static void
give_piece(struct export *e, const struct pass *pass, struct piece *p)
{
	e->us = p->us;
	if (p->kind == PIECE_EVENT) {
		if (pass->event != NULL)
			pass->event(e, p);
		return;
	}
	if (!e->want.raw) {
		p->n = strip_screen(&e->screen, p->data, p->n, e->shown);
		p->data = e->shown;
	}
	if (p->n > 0)
		pass->data(e, p);
}

static enum view_status
say_broken(const struct export *e)
{
	view_say(e->out.view, "export: cannot read the journal: %s",
	    strerror(errno));
	return VIEW_FAILED;
}

/* VIEW_OK; else it was said why not. */
static enum view_status
play(struct export *e, struct pieces *in, const struct pass *pass)
{
	struct piece p = { .n = 0 };
	int got = pieces_next(in, &p);

	strip_screen_init(&e->screen, false);
	e->begin_utc = p.utc_us;
	if (got == 0) {
		view_say(e->out.view, "export: nothing was recorded then");
		return VIEW_FAILED;
	}
	if (got == 1 && pass->begin != NULL && pass->begin(e) == -1)
		return VIEW_FAILED;
	while (got == 1 && !e->out.gone) {
		give_piece(e, pass, &p);
		got = pieces_next(in, &p);
	}
	if (got == -1)
		return say_broken(e);
	if (pass->end != NULL)
		pass->end(e);
	return VIEW_OK;
}

/* What is to be exported; NULL with errno. */
static struct jread *
open_span(const struct export *e)
{
	const struct view_span *s = &e->want.span;
	struct jread *j = jread_open(e->out.view->log_dir, e->console);
	int saved;

	if (j == NULL)
		return NULL;
	jread_stop(j, &e->stop);
	if (jread_range(j, s->since, s->until) == 0)
		return j;
	saved = errno;
	jread_close(j);
	errno = saved;
	return NULL;
}

static enum view_status
run_pass(struct export *e, const struct pass *pass)
{
	const struct view_span *s = &e->want.span;
	struct jread *j = open_span(e);
	enum view_status status;
	struct pieces *in;

	if (j == NULL) {
		status = say_broken(e);
	} else {
		in = pieces_new(j, s->since, s->until, e->want.idle_us);
		status = play(e, in, pass);
		pieces_free(in);
	}
	jread_close(j);
	return status;
}

static enum view_status
pass_alone(struct export *e)
{
	return run_pass(e, &e->want.format->pass);
}

static void
put_zeros(struct export *e, uint64_t n)
{
	static const char zeros[TAR_BLOCK];
	size_t part;

	for (; n > 0; n -= part) {
		part = n < TAR_BLOCK ? (size_t)n : TAR_BLOCK;
		viewout_put(&e->out, zeros, part);
	}
}

/* Two passes: how long, and what. */
static enum view_status
put_member(struct export *e, const char *suffix, const struct pass passes[2])
{
	char head[TAR_BLOCK], name[64];
	enum view_status status = run_pass(e, &passes[0]);
	uint64_t size = e->size;

	if (status != VIEW_OK)
		return status;
	snprintf(name, sizeof(name), "%s.%s", e->console, suffix);
	tar_head(head, name, size, e->begin_utc);
	viewout_put(&e->out, head, sizeof(head));
	status = run_pass(e, &passes[1]);
	put_zeros(e, e->size);		/* none, but for a broken journal */
	put_zeros(e, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
	return status;
}

static enum view_status
run_script(struct export *e)
{
	static const struct pass shown[2] = {
		{ begin_size, size_piece, NULL, NULL },
		{ begin_script, script_piece, NULL, NULL },
	};
	static const struct pass timing[2] = {
		{ begin_timing_size, timing_size_piece, NULL, NULL },
		{ begin_timing, timing_piece, NULL, NULL },
	};
	enum view_status status = put_member(e, "typescript", shown);

	if (status == VIEW_OK)
		status = put_member(e, "timing", timing);
	if (status == VIEW_OK)
		put_zeros(e, 2 * TAR_BLOCK);
	return status;
}

/* Lines, as `log --text` has them. */
static void
put_line(struct export *e, const struct record *r)
{
	size_t n = strip_line(r->data, r->n, e->text, sizeof(e->text));

	viewout_put(&e->out, e->text, n);
	if (r->type != RECORD_CUT || r->n < RECORD_BYTES)
		viewout_newline(&e->out);
}

static enum view_status
run_text(struct export *e)
{
	struct jread *j = open_span(e);
	struct record r;
	int got = -1;

	if (j != NULL) {
		while (!e->out.gone && (got = jread_next(j, &r)) == 1) {
			if (record_is_data(&r))
				put_line(e, &r);
		}
		if (jread_unfinished(j, &r))
			put_line(e, &r);
	}
	jread_close(j);
	return got == -1 ? say_broken(e) : VIEW_OK;
}

static const struct format formats[] = {
	{ "cast2", pass_alone,
	    { begin_cast2, cast_piece, cast_event, end_cast } },
	{ "cast3", pass_alone,
	    { begin_cast3, cast_piece, cast_event, end_cast } },
	{ "html", pass_alone,
	    { begin_html, cast_piece, cast_event, end_html } },
	{ "script", run_script, { NULL, NULL, NULL, NULL } },
	{ "text", run_text, { NULL, NULL, NULL, NULL } },
	{ "ttyrec", pass_alone, { NULL, ttyrec_piece, NULL, NULL } },
};

static int
set_format(void *conf, const char *value)
{
	struct want *w = conf;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].name, value) == 0)
			w->format = &formats[i];
	}
	return w->format != NULL && strcmp(w->format->name, value) == 0 ?
	    0 : -1;
}

static int
set_size(void *conf, const char *value)
{
	struct want *w = conf;
	unsigned columns, rows;
	char end;

	if (sscanf(value, "%4ux%4u%c", &columns, &rows, &end) != 2 ||
	    columns == 0 || columns > SIDE_MAX || rows == 0 || rows > SIDE_MAX)
		return -1;
	w->columns = columns;
	w->rows = rows;
	return 0;
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

static int
set_state(void *conf, const char *value)
{
	((struct want *)conf)->state = value;
	return 0;
}

static const struct view_option options[] = {
	{ "--since", false, view_set_since, VIEW_TIME },
	{ "--until", false, view_set_until, VIEW_TIME },
	{ "--format", false, set_format,
	    "one of cast2, cast3, html, script, text, ttyrec" },
	{ "--idle", false, set_idle, VIEW_SECONDS },
	{ "--size", false, set_size, "columns and rows, like 80x24" },
	{ "--raw", true, set_raw, "" },
	{ "--state", false, set_state, "the state folder" },
	{ NULL, false, NULL, NULL },
};

static enum view_status
check(const struct view *v, struct want *w)
{
	const char *lacks = NULL;

	if (w->format == NULL)
		lacks = "--format: cast2, cast3, html, script, text or ttyrec";
	else if (w->span.since == INT64_MIN)
		lacks = "--since: where it begins, like -1h";
	if (lacks != NULL) {
		view_say(v, "export: say %s", lacks);
		return VIEW_USAGE;
	}
	return view_span_check(v, "export", &w->span);
}

enum view_status
export_run(const struct view *v, export_vouch *vouch, int argc,
    char *const argv[])
{
	struct export *e = xcalloc(1, sizeof(*e));
	struct jread *j = NULL;
	enum view_status status;

	e->out.view = v;
	e->vouch = vouch;
	e->want.idle_us = -1;
	e->want.columns = 80;
	e->want.rows = 24;
	view_span_init(&e->want.span);
	status = view_options(v, argc, argv, 2, options, &e->want);
	if (status == VIEW_OK)
		status = check(v, &e->want);
	if (status == VIEW_OK)
		j = view_open(v, argc, argv, &status);
	e->console = argv[1];
	if (status == VIEW_OK && jread_end(j, &e->stop) == -1)
		status = say_broken(e);
	jread_close(j);		/* each pass opens it anew */
	if (status == VIEW_OK) {
		status = e->want.format->run(e);
		viewout_flush(&e->out);
	}
	free(e);
	return status;
}
