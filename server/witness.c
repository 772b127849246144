#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serial/lookout.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "witness_internal.h"

#define FILE_MAX (512 * 1024)
#define NOTICE_TEXT 512

static char *
path_of(const struct witness *t, const char *name, const char *suffix)
{
	return xasprintf("%s/%s%s", t->dir, name, suffix);
}

/*
 * Saving
 */
static void
save_place(struct place *p)
{
	struct look_state st;
	struct tally looked;
	char *path = path_of(p->witness, wire_conf(p->wire)->name,
	    ".chronicle");

	look_state(p->look, &st);
	looked = chronicle_tally(p->chronicle, st.told, st.told_lines);
	p->marked = st.told;
	p->dirty = false;
	saver_put(p->witness->saver, path, chronicle_save(p->chronicle,
	    &looked));
	free(path);
}

static void
save_bookmarks(struct witness *t)
{
	char *path = path_of(t, "bookmarks", "");

	saver_put(t->saver, path, bookmarks_save(t->bookmarks));
	t->bookmarks_dirty = false;
	free(path);
}

static void
save_dirty(struct witness *t)
{
	for (struct place *p = t->places; p != NULL; p = p->next) {
		if (p->dirty)
			save_place(p);
	}
	if (t->bookmarks_dirty)
		save_bookmarks(t);
}

static void
on_save(void *arg)
{
	save_dirty(arg);
}

static void
is_dirty(struct witness *t, bool *what)
{
	*what = true;
	timer_set_sooner(t->save, WITNESS_SAVE_MS);
}

/* Those that have been looked at further than is saved. */
static void
find_moved(struct witness *t)
{
	for (struct place *p = t->places; p != NULL; p = p->next) {
		struct look_state st;

		look_state(p->look, &st);
		p->dirty = p->dirty || st.told != p->marked;
	}
}

static void
on_mark(void *arg)
{
	struct witness *t = arg;

	find_moved(t);
	save_dirty(t);
	timer_set(t->mark, WITNESS_MARK_MS);
}

/*
 * What happened
 */
static void
add_row(struct place *p, struct stamp when, enum chronicle_what what,
    unsigned severity, const char *name, const char *text)
{
	struct chronicle_row r = { .when = when, .what = what,
	    .severity = severity };

	snprintf(r.name, sizeof(r.name), "%.*s", (int)sizeof(r.name) - 1,
	    name);
	str_safe(r.text, sizeof(r.text), text, strlen(text));
	chronicle_add(p->chronicle, &r);
	is_dirty(p->witness, &p->dirty);
}

static const char *const severities[] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_CRITICAL] = "critical",
};

const char *
severity_text(unsigned severity)
{
	return severity <= SEVERITY_CRITICAL ? severities[severity] :
	    "warning";
}

static void
saw_alert(struct place *p, const struct sighting *s)
{
	struct console *con = p->witness->console;
	char safe[2 * ALERTS_TEXT], notice[NOTICE_TEXT + 2 * ALERTS_TEXT];
	char more[64] = "";

	str_safe(safe, sizeof(safe), s->text, strlen(s->text));
	if (s->more > 0)
		snprintf(more, sizeof(more), " more=%" PRIu64, s->more);
	scribe_event(wire_log(p->wire), "alert", "name=%s on=%s severity=%s "
	    "state=%s offset=%" PRIu64 "%s text=%s", s->name,
	    alert_on_text(s->on), severity_text(s->severity),
	    s->over ? "over" : "raised", s->offset, more, safe);
	if (s->more > 0)
		snprintf(more, sizeof(more), " (%" PRIu64 " more before)",
		    s->more);
	snprintf(notice, sizeof(notice), "%s %s: %s%s", s->over ? "alert over:"
	    : s->severity == SEVERITY_CRITICAL ? "CRITICAL ALERT" : "ALERT",
	    s->name, safe, more);
	clients_notice(con, p->wire, notice);
	if (!s->over)
		add_row(p, s->when, s->on == ALERT_REBOOT ? CHRONICLE_REBOOT :
		    CHRONICLE_ALERT, s->severity, s->name, s->text);
}

static void
saw_crash(struct place *p, const struct crash_info *c)
{
	char notice[NOTICE_TEXT];

	if (c->id == 0)
		return;
	scribe_event(wire_log(p->wire), "crash", "id=%u alert=%s bytes=%"
	    PRIu64 " ended=%s file=%s", c->id, c->alert, c->bytes, c->ended,
	    c->file);
	snprintf(notice, sizeof(notice), "crash bundle %u (%s, %" PRIu64
	    " bytes): `export %s --crash %u` has it", c->id, c->alert,
	    c->bytes, wire_conf(p->wire)->name, c->id);
	clients_notice(p->witness->console, p->wire, notice);
}

static void
on_sighting(void *arg, const struct sighting *s)
{
	struct place *p = arg;

	switch (s->sight) {
	case SIGHT_RAISED:
		saw_alert(p, s);
		break;
	case SIGHT_REPORT:
		clients_notify_alert(p->witness->console, s->over ?
		    SEVERITY_INFO : s->severity, s->name,
		    wire_conf(p->wire)->name, s->text);
		break;
	case SIGHT_CRASH:
		saw_crash(p, &s->crash);
		break;
	}
	is_dirty(p->witness, &p->dirty);
}

/*
 * What is looked for
 */
static enum alert_on
trigger(const struct config_alert *a)
{
	if (strcmp(a->name, "reboot") == 0)
		return ALERT_REBOOT;
	if (strcmp(a->name, "panic") == 0)
		return ALERT_PANIC;
	return a->silence_ms > 0 ? ALERT_SILENCE : a->after_ms > 0 ?
	    ALERT_OUTPUT : a->line ? ALERT_LINE : ALERT_MATCH;
}

static struct alert_rule
rule_of(const struct config_alert *a)
{
	return (struct alert_rule){ .name = a->name, .on = trigger(a),
	    .severity = a->severity, .match = a->match,
	    .omens = a->builtin, .ignore_case = a->ignore_case,
	    .crash = a->crash, .quiet_ms = a->silence_ms > 0 ?
	    a->silence_ms : a->after_ms, .settle_ms = a->settle_ms,
	    .hourly = a->hourly, .before = a->before, .after = a->after };
}

static bool
is_written(const struct config_console *c, const char *name)
{
	for (size_t i = 0; i < c->nalerts; i++) {
		if (strcmp(c->alerts[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Call fn with the rules of this console. */
static void
with_rules(const struct config_console *c,
    void (*fn)(struct place *, const struct look_conf *), struct place *p)
{
	static const char *const builtins[] = { "reboot", "panic" };
	struct config_alert builtin[2];
	struct alert_rule rules[ALERTS_MAX];
	struct look_conf conf = { .rules = rules, .crashes = c->crashes,
	    .crash_quiet_ms = c->crash_quiet_ms };

	for (size_t i = 0; i < 2; i++) {
		config_alert_default(&builtin[i], builtins[i]);
		if (!is_written(c, builtins[i]))
			rules[conf.nrules++] = rule_of(&builtin[i]);
	}
	for (size_t i = 0; i < c->nalerts; i++) {
		if (c->alerts[i].enabled)
			rules[conf.nrules++] = rule_of(&c->alerts[i]);
	}
	fn(p, &conf);
	free(builtin[0].name);
	free(builtin[1].name);
}

/*
 * Consoles
 */
static void
load_chronicle(struct place *p, uint64_t *offset, uint64_t *lines)
{
	char *path = path_of(p->witness, wire_conf(p->wire)->name,
	    ".chronicle");
	char *text = file_read(path, FILE_MAX, NULL);

	*offset = history_head(wire_history(p->wire));
	*lines = 0;
	if (text == NULL && errno != ENOENT)
		log_errno("%s", path);
	else if (text != NULL &&
	    chronicle_load(p->chronicle, text, offset, lines) == -1)
		log_warn("%s is damaged and begun anew", path);
	free(text);
	free(path);
}

static void
open_look(struct place *p, const struct look_conf *conf)
{
	struct look_place place = { .console = wire_conf(p->wire)->name,
	    .history = wire_history(p->wire) };

	load_chronicle(p, &place.from, &place.lines);
	p->look = look_open(p->witness->lookout, &place, conf, p);
	p->marked = place.from;
}

void
witness_open(struct witness *t, struct wire *w)
{
	struct place *p;

	if (t == NULL)
		return;
	p = xcalloc(1, sizeof(*p));
	p->witness = t;
	p->wire = w;
	p->chronicle = chronicle_new();
	p->up = true;
	p->next = t->places;
	t->places = p;
	with_rules(wire_conf(w), open_look, p);
	wire_set_place(w, p);
}

void
witness_close(struct witness *t, struct wire *w)
{
	struct place *p = wire_place(w), **at;

	if (t == NULL || p == NULL)
		return;
	save_place(p);
	look_close(p->look);
	chronicle_free(p->chronicle);
	for (at = &t->places; *at != p; at = &(*at)->next)
		continue;
	*at = p->next;
	wire_set_place(w, NULL);
	free(p);
}

static void
configure_look(struct place *p, const struct look_conf *conf)
{
	look_configure(p->look, conf);
}

void
witness_configure(struct witness *t, struct wire *w)
{
	struct place *p = wire_place(w);

	if (t != NULL && p != NULL)
		with_rules(wire_conf(w), configure_look, p);
}

void
witness_data(struct wire *w)
{
	struct place *p = wire_place(w);

	if (p != NULL)
		look_poke(p->look);
}

void
witness_typed(struct wire *w)
{
	struct place *p = wire_place(w);

	if (p != NULL)
		look_typed(p->look);
}

void
witness_changed(struct witness *t, struct wire *w)
{
	struct place *p = wire_place(w);
	struct wire_info i;

	if (t == NULL || p == NULL || wire_is_up(w) == p->up)
		return;
	p->up = wire_is_up(w);
	look_line(p->look, p->up);
	wire_info(w, &i);
	/* Not there at the start is not lost. */
	if (!p->up && i.losses > p->losses)
		add_row(p, stamp_now(), CHRONICLE_LOST, SEVERITY_WARNING,
		    "line", i.problem);
	p->losses = i.losses;
}

void
witness_attached(struct witness *t, struct wire *w, const char *user,
    const char *from)
{
	struct place *p = wire_place(w);

	if (t != NULL && p != NULL)
		add_row(p, stamp_now(), CHRONICLE_ATTACH, SEVERITY_INFO, user,
		    from);
}

/* Line ends between two places of the history, as far as it has them. */
static uint64_t
count_lines(const struct history *h, uint64_t from, uint64_t to)
{
	uint8_t block[16384];
	uint64_t lines = 0;
	ssize_t n;

	if (from < history_tail(h))
		from = history_tail(h);
	for (; from < to; from += (uint64_t)n) {
		n = history_read(h, from, block, to - from < sizeof(block) ?
		    (size_t)(to - from) : sizeof(block));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			lines += block[i] == '\n';
	}
	return lines;
}

uint64_t
place_lines(struct place *p, uint64_t offset)
{
	const struct history *h = wire_history(p->wire);
	struct look_state st;
	uint64_t less;

	look_state(p->look, &st);
	if (offset >= st.offset)
		return st.lines + count_lines(h, st.offset, offset);
	less = count_lines(h, offset, st.offset);
	return st.lines > less ? st.lines - less : 0;
}

void
witness_seen(struct witness *t, struct wire *w, const char *user,
    uint64_t offset, int64_t silent_ms, bool cut)
{
	struct place *p = wire_place(w);
	struct bookmark m = { .utc_us = stamp_now().utc_us -
	    silent_ms * 1000, .cut = cut };
	uint64_t lines;

	if (t == NULL || p == NULL)
		return;
	if (offset > history_head(wire_history(w)))
		offset = history_head(wire_history(w));
	lines = place_lines(p, offset);
	snprintf(m.user, sizeof(m.user), "%s", user);
	snprintf(m.console, sizeof(m.console), "%s", wire_conf(w)->name);
	m.seen = silent_ms == 0 ? chronicle_tally(p->chronicle, offset,
	    lines) : chronicle_tally_before(p->chronicle, offset, lines,
	    mono_after(mono_now(), -silent_ms));
	bookmarks_set(t->bookmarks, &m);
	is_dirty(t, &t->bookmarks_dirty);
}

void
witness_told(struct witness *t, struct wire *w, const char *user)
{
	if (t == NULL)
		return;
	bookmarks_told(t->bookmarks, user, wire_conf(w)->name);
	is_dirty(t, &t->bookmarks_dirty);
}

/*
 * Life
 */
static void
load_bookmarks(struct witness *t)
{
	char *path = path_of(t, "bookmarks", "");
	char *text = file_read(path, FILE_MAX, NULL);

	if (text == NULL && errno != ENOENT)
		log_errno("%s", path);
	else if (text != NULL && bookmarks_load(t->bookmarks, text) == -1)
		log_warn("%s is damaged and begun anew", path);
	free(text);
	free(path);
}

struct witness *
witness_new(struct console *con)
{
	struct witness *t = xcalloc(1, sizeof(*t));
	int saved;

	t->console = con;
	t->dir = xasprintf("%s/witness", con->conf->state_dir);
	if (dir_make(t->dir, 0700) == -1)
		log_errno("%s", t->dir);
	t->saver = saver_start();
	t->lookout = t->saver == NULL ? NULL : lookout_start(con->loop,
	    con->conf->log_dir, con->conf->name, on_sighting);
	if (t->lookout == NULL) {
		saved = errno;
		if (t->saver != NULL)
			saver_stop(t->saver, 1000);
		free(t->dir);
		free(t);
		errno = saved;
		return NULL;
	}
	t->bookmarks = bookmarks_new();
	load_bookmarks(t);
	t->save = timer_new(con->loop, on_save, t);
	t->mark = timer_new(con->loop, on_mark, t);
	timer_set(t->mark, WITNESS_MARK_MS);
	return t;
}

void
witness_save(struct witness *t)
{
	if (t == NULL)
		return;
	find_moved(t);
	save_dirty(t);
}

bool
witness_stop(struct witness *t, int64_t deadline_ms)
{
	struct place *p;

	if (t == NULL)
		return true;
	save_dirty(t);
	if (!saver_stop(t->saver, deadline_ms / 2) ||
	    !lookout_stop(t->lookout, deadline_ms / 2))
		return false;
	while ((p = t->places) != NULL) {
		t->places = p->next;
		wire_set_place(p->wire, NULL);
		chronicle_free(p->chronicle);
		free(p);
	}
	bookmarks_free(t->bookmarks);
	timer_free(t->save);
	timer_free(t->mark);
	free(t->dir);
	free(t);
	return true;
}
