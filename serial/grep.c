#include <errno.h>
#include <locale.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "grep.h"
#include "jscan.h"
#include "pattern.h"
#include "strip.h"
#include "viewout.h"

#define CONTEXT_MAX 1000
#define MOST 1000000000

struct want {
	struct view_span span;
	int64_t context, most;		/* most 0: no bound */
	bool fold, count, json;
};

/* Of this process, once it was loaded. */
static locale_t utf8;

struct grep {
	struct want want;
	struct viewout out;
	/* Lines of ASCII are matched as bytes: it is several times as fast. */
	regex_t re, wide;
	bool has_wide;			/* one for characters, in utf8 */
	locale_t plain;
	struct needle needle;
	const char *console;		/* being searched */
	bool several;
	struct jscan *in;
	int64_t hits, here;		/* in all, in this console */
	int64_t after;			/* lines of context still to come */
	bool shown;			/* something was: groups are set apart */
	bool quit;
	uint64_t damaged;
	char text[STRIP_ROOM(RECORD_BYTES)];
	char json_text[STRIP_ROOM(RECORD_BYTES)];
};

static int
set_context(void *conf, const char *value)
{
	return str_int(value, 0, CONTEXT_MAX, &((struct want *)conf)->context);
}

static int
set_most(void *conf, const char *value)
{
	return str_int(value, 1, MOST, &((struct want *)conf)->most);
}

static int
set_fold(void *conf, const char *value)
{
	(void)value;
	((struct want *)conf)->fold = true;
	return 0;
}

static int
set_count(void *conf, const char *value)
{
	(void)value;
	((struct want *)conf)->count = true;
	return 0;
}

static int
set_json(void *conf, const char *value)
{
	(void)value;
	((struct want *)conf)->json = true;
	return 0;
}

static const struct view_option options[] = {
	{ "--since", false, view_set_since, VIEW_TIME },
	{ "--until", false, view_set_until, VIEW_TIME },
	{ "-C", false, set_context, "a number of lines up to 1000" },
	{ "-c", true, set_count, "" },
	{ "-i", true, set_fold, "" },
	{ "-m", false, set_most, "a number of lines" },
	{ "--json", true, set_json, "" },
	{ NULL, false, NULL, NULL },
};

static void
show_json(struct grep *g, const struct record *r, bool match)
{
	json_t *o = json_object();

	json_object_set_new(o, "console", json_string(g->console));
	json_object_set_new(o, "match", json_boolean(match));
	viewout_json(&g->out, r, g->json_text, o);
}

/* text: of r, stripped. */
static void
show(struct grep *g, const struct record *r, const char *text, bool match)
{
	g->shown = true;
	jscan_mark(g->in);
	if (g->want.json) {
		show_json(g, r, match);
		return;
	}
	if (g->several) {
		viewout_string(&g->out, g->console);
		viewout_string(&g->out, match ? ": " : "- ");
	}
	viewout_time(&g->out, r->stamp.utc_us);
	viewout_string(&g->out, text);
	viewout_newline(&g->out);
}

static void
show_before(void *arg, const struct record *r)
{
	struct grep *g = arg;
	char *text = g->json_text;

	strip_line(r->data, r->n, text, sizeof(g->json_text));
	show(g, r, text, false);
}

/* A match, and the lines before it. */
static void
on_match(struct grep *g, const struct record *r)
{
	g->here++;
	g->hits++;
	g->quit = g->want.most > 0 && g->hits == g->want.most;
	if (g->want.count)
		return;
	/* Within the lines after the last one: they join. */
	if (g->after == 0 && g->want.context > 0) {
		if (!jscan_look_back(g->in, (size_t)g->want.context) &&
		    g->shown && !g->want.json) {
			viewout_string(&g->out, "--");
			viewout_newline(&g->out);
		}
		jscan_before(g->in, show_before, g);
	}
	show(g, r, g->text, true);
	g->after = g->want.context;
}

static bool
is_ascii(const char *p, size_t n)
{
	unsigned char all = 0;

	for (size_t i = 0; i < n; i++)
		all |= (unsigned char)p[i];
	return all < 0x80;
}

/* Of the n bytes of text. */
static bool
matches(const struct grep *g, size_t n)
{
	bool wide = g->has_wide && !is_ascii(g->text, n);

	if (g->needle.count > 0 &&
	    (needle_find(&g->needle, g->text, n) == NULL ||
	    !needle_has_all(&g->needle, g->text, n)))
		return false;
	if (!wide)
		return pattern_in(&g->re, g->text);
	uselocale(utf8);
	wide = pattern_in(&g->wide, g->text);
	uselocale(g->plain);
	return wide;
}

/* Between two pieces of the journal: what was found is shown now. */
static bool
go_on(void *arg)
{
	struct grep *g = arg;
	const struct view *v = g->out.view;
	int key;

	viewout_flush(&g->out);
	do {
		key = v->ops->wait(v->arg, 0);
		if (key == VIEW_GONE || key == 3 || key == 'q')
			g->quit = true;
	} while (key >= 0 && !g->quit);
	return !g->quit && !g->out.gone;
}

static int
search(struct grep *g)
{
	struct record r;
	size_t n;
	int got = 0;

	g->after = g->here = 0;
	/* -m ends behind the lines after its last match. */
	while (!g->out.gone && (!g->quit || g->after > 0)) {
		got = jscan_next(g->in, g->after > 0 ? NULL : &g->needle, &r);
		if (got != 1)
			break;
		n = strip_line(r.data, r.n, g->text, sizeof(g->text));
		if (!g->quit && matches(g, n)) {
			on_match(g, &r);
		} else if (g->after > 0) {
			show(g, &r, g->text, false);
			g->after--;
		}
	}
	return got == -1 ? -1 : 0;
}

static void
show_count(struct grep *g)
{
	char text[64];
	json_t *o;
	char *line;

	if (g->want.json) {
		o = json_pack("{s:s, s:I}", "console", g->console, "count",
		    (json_int_t)g->here);
		line = json_dumps(o, JSON_COMPACT);
		viewout_string(&g->out, line == NULL ? "" : line);
		json_decref(o);
		free(line);
	} else {
		snprintf(text, sizeof(text), "%s%s%lld",
		    g->several ? g->console : "", g->several ? ": " : "",
		    (long long)g->here);
		viewout_string(&g->out, text);
	}
	viewout_newline(&g->out);
}

/* One console.  VIEW_OK also when nothing was found there. */
static enum view_status
grep_console(struct grep *g, const char *console)
{
	const struct view *v = g->out.view;
	int got;

	g->console = console;
	g->in = jscan_open(v->log_dir, console, g->want.span.since,
	    g->want.span.until);
	/* Of several one may have none yet. */
	if (g->in == NULL && errno == ENOENT && g->several)
		return VIEW_OK;
	if (g->in == NULL) {
		view_say(v, "grep: no journal of console %s in %s: %s",
		    console, v->log_dir, strerror(errno));
		return errno == ENOENT ? VIEW_NO_CONSOLE : VIEW_FAILED;
	}
	jscan_on_pause(g->in, go_on, g);
	if (g->want.context > 0)
		jscan_keep_back(g->in);
	got = search(g);
	if (got == -1)
		view_say(v, "grep: cannot read the journal of %s: %s",
		    console, strerror(errno));
	else if (g->want.count)
		show_count(g);
	g->damaged += jscan_damaged(g->in);
	jscan_close(g->in);
	viewout_flush(&g->out);
	return got == -1 ? VIEW_FAILED : VIEW_OK;
}

static enum view_status
grep_all(struct grep *g, const char *consoles)
{
	enum view_status status = VIEW_OK;
	char *list = xstrdup(consoles), *rest = list, *name;

	g->several = strchr(consoles, ',') != NULL;
	while (status == VIEW_OK && !g->quit && !g->out.gone &&
	    (name = strsep(&rest, ",")) != NULL) {
		if (str_is_name(name)) {
			status = grep_console(g, name);
			continue;
		}
		view_say(g->out.view, "grep: no such console");
		status = VIEW_NO_CONSOLE;
	}
	free(list);
	if (g->damaged > 0)
		view_say(g->out.view, "grep: %llu damaged lines passed over",
		    (unsigned long long)g->damaged);
	if (status == VIEW_OK && g->hits == 0)
		status = VIEW_FAILED;
	return status;
}

/* A character is one, whatever our environment says. */
void
grep_prepare(void)
{
	if (utf8 != (locale_t)0)
		return;
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (utf8 == (locale_t)0 && errno == ENOMEM)
		mem_failed();
}

/* VIEW_OK, or having said what is wrong with the expression. */
static enum view_status
compile(struct grep *g, const char *ere)
{
	const char *why = needle_problem(ere);
	int flags = REG_EXTENDED | REG_NOSUB | (g->want.fold ? REG_ICASE : 0);
	char text[128];
	int error;

	if (why != NULL) {
		view_say(g->out.view, "grep: cannot take that expression: %s",
		    why);
		return VIEW_USAGE;
	}
	error = regcomp(&g->re, ere, flags);
	if (error != 0) {
		regerror(error, &g->re, text, sizeof(text));
		view_say(g->out.view, "grep: bad expression: %s", text);
		return VIEW_USAGE;
	}
	needle_make(&g->needle, ere, g->want.fold);
	grep_prepare();
	if (utf8 == (locale_t)0)
		return VIEW_OK;
	g->plain = uselocale(utf8);
	error = regcomp(&g->wide, ere, flags);
	if (error == REG_ESPACE)
		mem_failed();
	g->has_wide = error == 0;
	uselocale(g->plain);
	return VIEW_OK;
}

static enum view_status
run(struct grep *g, const char *consoles, const char *ere)
{
	enum view_status status = compile(g, ere);

	if (status != VIEW_OK)
		return status;
	status = grep_all(g, consoles);
	regfree(&g->re);
	if (g->has_wide)
		regfree(&g->wide);
	return status;
}

enum view_status
grep_run(const struct view *v, int argc, char *const argv[])
{
	enum view_status status;
	struct grep *g;

	if (argc < 3) {
		view_say(v, "grep: which expression?  (see: help grep)");
		return VIEW_USAGE;
	}
	g = xcalloc(1, sizeof(*g));
	g->out.view = v;
	view_span_init(&g->want.span);
	status = view_options(v, argc, argv, 3, options, &g->want);
	if (status == VIEW_OK)
		status = view_span_check(v, argv[0], &g->want.span);
	if (status == VIEW_OK)
		status = run(g, argv[1], argv[2]);
	free(g);
	return status;
}
