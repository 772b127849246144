#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serial/jread.h"
#include "../serial/viewout.h"
#include "base/mem.h"
#include "base/str.h"
#include "last.h"

struct want {
	struct view_span span;
	int64_t rows;
	bool json;
};

enum what {
	WHAT_LOGIN,
	WHAT_REFUSED,
	WHAT_PENALTY,
};

static const char *const words[] = {
	[WHAT_LOGIN] = "login",
	[WHAT_REFUSED] = "refused",
	[WHAT_PENALTY] = "penalty",
};

struct row {
	enum what what;
	struct stamp at;
	uint64_t boot;			/* mono times compare within */
	uint64_t id;			/* of the login; 0: not known */
	char user[80], way[32], key[160], from[80], via[64], why[160];
	uint64_t count;
	bool over;
	int64_t lasted_ms;		/* -1: until nobody knows when */
	char end[160];
};

struct last {
	struct want want;
	struct jread *in;
	struct row *rows;		/* the newest, a ring */
	uint64_t n;			/* ever */
	struct viewout out;
};

/* As much of n bytes as fits, in whole characters: JSON takes no halves. */
static void
fit(char *dst, size_t size, const char *src, size_t n)
{
	size_t at = 0;
	int len;

	while (at < n) {
		len = str_utf8((const uint8_t *)src + at, n - at);
		if (len <= 0 || at + (size_t)len >= size)
			break;
		at += (size_t)len;
	}
	memcpy(dst, src, at);
	dst[at] = '\0';
}

/* One " name=value" of an event; false at its end. */
static bool
next_field(const char **p, char name[16], char *value, size_t size)
{
	size_t n = strcspn(*p += strspn(*p, " "), "= ");
	const char *from = *p + n + 1;

	if (**p == '\0' || (*p)[n] != '=')
		return false;
	snprintf(name, 16, "%.*s", (int)(n < 15 ? n : 15), *p);
	n = *from == '"' ? strcspn(++from, "\"") : strcspn(from, " ");
	fit(value, size, from, n);
	*p = from + n + (from[n] == '"');
	return true;
}

static void
read_fields(struct row *r, const char *p)
{
	const struct {
		const char *name;
		char *to;
		size_t size;
	} texts[] = {
		{ "user", r->user, sizeof(r->user) },
		{ "way", r->way, sizeof(r->way) },
		{ "key", r->key, sizeof(r->key) },
		{ "from", r->from, sizeof(r->from) },
		{ "via", r->via, sizeof(r->via) },
		{ "why", r->why, sizeof(r->why) },
	};
	char name[16], value[256];

	while (next_field(&p, name, value, sizeof(value))) {
		if (strcmp(name, "id") == 0)
			r->id = strtoull(value, NULL, 16);
		else if (strcmp(name, "count") == 0)
			r->count = strtoull(value, NULL, 10);
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			if (strcmp(name, texts[i].name) == 0)
				fit(texts[i].to, texts[i].size, value,
				    strlen(value));
		}
	}
}

/* The i-th newest. */
static struct row *
row_at(const struct last *l, uint64_t i)
{
	return &l->rows[(l->n - 1 - i) % (uint64_t)l->want.rows];
}

static uint64_t
count_rows(const struct last *l)
{
	return l->n < (uint64_t)l->want.rows ? l->n : (uint64_t)l->want.rows;
}

static void
end_row(const struct last *l, struct row *r, struct stamp at, const char *why)
{
	r->over = true;
	r->lasted_ms = r->boot == jread_boot(l->in) ?
	    mono_ms(r->at.mono, at.mono) :
	    (at.utc_us - r->at.utc_us) / 1000;
	snprintf(r->end, sizeof(r->end), "%s", why);
}

static void
take_row(struct last *l, const struct row *r)
{
	struct row *to = &l->rows[l->n++ % (uint64_t)l->want.rows];

	*to = *r;
	/* Of several that were only counted nobody knows the ends. */
	to->over = r->what != WHAT_LOGIN || r->id == 0 || r->count > 1;
	to->lasted_ms = -1;
}

static void
take_logout(const struct last *l, const struct row *out)
{
	for (uint64_t i = 0; i < count_rows(l); i++) {
		struct row *r = row_at(l, i);

		if (r->id == out->id && r->id != 0 && !r->over) {
			end_row(l, r, out->at, out->why);
			break;
		}
	}
}

/*
 * A new ssh process, by its id, or none at all: those of others are over.  It
 * may have been so for long.
 */
static void
end_others(const struct last *l, const struct row *now, const char *why)
{
	for (uint64_t i = 0; i < count_rows(l); i++) {
		struct row *r = row_at(l, i);

		if (!r->over && r->id >> 32 != now->id >> 32)
			end_row(l, r, now->at, why);
	}
}

static void
take(struct last *l, const struct record *rec)
{
	struct row r = { .at = rec->stamp, .boot = jread_boot(l->in),
	    .count = 1 };
	char text[2048], word[32];
	size_t n;

	if (rec->type != RECORD_EVENT)
		return;
	str_safe(text, sizeof(text), rec->data, rec->n);
	n = strcspn(text, " ");
	snprintf(word, sizeof(word), "%.*s", (int)(n < 31 ? n : 31), text);
	read_fields(&r, text + n);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		r.what = (enum what)i;
		if (strcmp(word, words[i]) == 0)
			take_row(l, &r);
	}
	if (strcmp(word, "logout") == 0)
		take_logout(l, &r);
	else if (strcmp(word, "door") == 0)
		end_others(l, &r, "the ssh process ended");
	else if (strcmp(word, "stop") == 0)
		end_others(l, &r, "oobd stopped");
}

/* Showing it. */

static const char *
or_dash(const char *text)
{
	return *text == '\0' ? "-" : text;
}

static void
show_text(struct last *l, const struct row *r)
{
	char line[1024], stamp[STAMP_TEXT], lasted[24] = "-", what[224];
	int64_t s = r->lasted_ms / 1000;

	stamp_text(stamp, r->at.utc_us);
	if (r->lasted_ms >= 0)
		snprintf(lasted, sizeof(lasted), "%02d:%02d:%02d",
		    (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
	if (r->what == WHAT_LOGIN)
		snprintf(what, sizeof(what), "%s", r->count > 1 ?
		    "several logins" : r->over ? r->end : "still there");
	else
		snprintf(what, sizeof(what), "%s: %s", words[r->what],
		    r->why);
	snprintf(line, sizeof(line), "%.19sZ %-16s %-13s %-24s %-12s %-9s %s",
	    stamp, or_dash(r->user), or_dash(r->way), or_dash(r->from),
	    or_dash(r->via), lasted, what);
	viewout_string(&l->out, line);
	if (r->count > 1) {
		snprintf(line, sizeof(line), " (%" PRIu64 " times)",
		    r->count);
		viewout_string(&l->out, line);
	}
	if (r->key[0] != '\0') {
		snprintf(line, sizeof(line), "  %s", r->key);
		viewout_string(&l->out, line);
	}
	viewout_newline(&l->out);
}

static void
show_head(struct last *l)
{
	char line[256];

	snprintf(line, sizeof(line), "%-20s %-16s %-13s %-24s %-12s %-9s %s",
	    "TIME", "USER", "WAY", "FROM", "VIA", "FOR", "END, KEY");
	viewout_string(&l->out, line);
	viewout_newline(&l->out);
}

static json_t *
row_json(const struct row *r)
{
	char stamp[STAMP_TEXT];
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I}",
	    "what", words[r->what], "time", stamp_text(stamp, r->at.utc_us),
	    "user", r->user, "way", r->way, "key", r->key, "from", r->from,
	    "via", r->via, "asserted", strncmp(r->via, "relay ", 6) == 0,
	    "count", (json_int_t)r->count);

	if (r->what != WHAT_LOGIN)
		json_object_set_new(o, "why", json_string(r->why));
	if (r->what == WHAT_LOGIN)
		json_object_set_new(o, "over", json_boolean(r->over));
	if (r->lasted_ms >= 0) {
		json_object_set_new(o, "lasted_s",
		    json_real((double)r->lasted_ms / 1000));
		json_object_set_new(o, "end", json_string(r->end));
	}
	return o;
}

static void
show_json(struct last *l)
{
	json_t *list = json_array();
	char *text;

	for (uint64_t i = 0; i < count_rows(l); i++)
		json_array_append_new(list, row_json(row_at(l, i)));
	text = json_dumps(list, JSON_INDENT(2));
	json_decref(list);
	if (text != NULL)
		viewout_string(&l->out, text);
	viewout_newline(&l->out);
	free(text);
}

static void
show(struct last *l)
{
	if (l->want.json) {
		show_json(l);
	} else {
		show_head(l);
		for (uint64_t i = 0; i < count_rows(l); i++)
			show_text(l, row_at(l, i));
	}
	viewout_flush(&l->out);
}

static int
set_rows(void *conf, const char *value)
{
	struct want *w = conf;

	return str_int(value, 1, LAST_MAX, &w->rows);
}

static int
set_json(void *conf, const char *value)
{
	struct want *w = conf;

	(void)value;
	w->json = true;
	return 0;
}

static const struct view_option options[] = {
	{ "--since", false, view_set_since, VIEW_TIME },
	{ "-n", false, set_rows, "a number of lines, at most 10000" },
	{ "--json", true, set_json, "" },
	{ NULL, false, NULL, NULL },
};

static enum view_status
run(struct last *l)
{
	struct record r;
	int got = jread_range(l->in, l->want.span.since, INT64_MAX);

	while (got != -1 && (got = jread_next(l->in, &r)) == 1)
		take(l, &r);
	if (got == -1) {
		view_say(l->out.view, "last: cannot read the box's journal: "
		    "%s", strerror(errno));
		return VIEW_FAILED;
	}
	show(l);
	return VIEW_OK;
}

enum view_status
last_run(const struct view *v, int argc, char *const argv[])
{
	struct last *l = xcalloc(1, sizeof(*l));
	enum view_status status;

	l->out.view = v;
	view_span_init(&l->want.span);
	l->want.rows = LAST_ROWS;
	status = view_options(v, argc, argv, 2, options, &l->want);
	if (status == VIEW_OK)
		l->in = view_open(v, argc, argv, &status);
	if (l->in != NULL) {
		l->rows = xcalloc((size_t)l->want.rows, sizeof(*l->rows));
		status = run(l);
	}
	jread_close(l->in);
	free(l->rows);
	free(l);
	return status;
}
