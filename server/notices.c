#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "notices.h"

#define MINUTE (60 * 1000)
#define OPEN_TEXT 384

/*
 * By kind, and by what stands in its text if that is given.  The first that
 * fits counts.  opens: what is wrong from now on, of that source; ends: what
 * is not wrong any more.  %S stands for the source, %T for the text.
 */
static const struct row {
	const char *kind, *match;
	const char *opens, *ends;
	enum notify_severity severity;
	int64_t hold_ms;	/* told if it is open for so long */
	const char *words;	/* NULL: not told */
} rows[] = {
	{ "line-lost", NULL, "line", NULL, NOTIFY_WARNING, MINUTE,
	    "console %S: the line is gone: %T" },
	{ "line-back", NULL, NULL, "line", NOTIFY_INFO, 0,
	    "console %S: the line is back" },
	{ "journal-failed", NULL, "journal", NULL, NOTIFY_CRITICAL, 0,
	    "console %S is NOT RECORDED: %T" },
	{ "journal-back", NULL, NULL, "journal", NOTIFY_INFO, 0,
	    "console %S is recorded again" },
	{ "relay-refused", NULL, NULL, NULL, NOTIFY_CRITICAL, 0,
	    "relay %S does not let us in: %T" },
	{ "relay-down", "why=\"no longer wanted\"", NULL, "relay", NOTIFY_INFO,
	    0, NULL },
	{ "relay-down", NULL, "relay", NULL, NOTIFY_WARNING, 10 * MINUTE,
	    "relay %S is down for 10 minutes: %T" },
	{ "relay-failed", NULL, "relay", NULL, NOTIFY_WARNING, 10 * MINUTE,
	    "relay %S cannot be reached for 10 minutes: %T" },
	{ "relay-up", NULL, NULL, "relay", NOTIFY_INFO, 0,
	    "relay %S is up" },
	/* A drill speaks for itself. */
	{ "link-state", "drill=yes", NULL, NULL, NOTIFY_INFO, 0, NULL },
	{ "link-late", "drill=yes", NULL, NULL, NOTIFY_INFO, 0, NULL },
	{ "link-state", "state=failed", "link", NULL, NOTIFY_WARNING, 0,
	    "the link failed: %T" },
	{ "link-up", NULL, NULL, "link", NOTIFY_INFO, 0, "the link is up" },
	{ "link-late", NULL, NULL, NULL, NOTIFY_WARNING, 0,
	    "the link is late: %T" },
	{ "link-quota", NULL, NULL, NULL, NOTIFY_WARNING, 0,
	    "the data budget: %T" },
	{ "modem-blocked", NULL, "modem", NULL, NOTIFY_CRITICAL, 0,
	    "the modem waits for somebody: %T" },
	{ "modem-lost", NULL, "modem", NULL, NOTIFY_WARNING, 5 * MINUTE,
	    "the modem is gone for 5 minutes: %T" },
	{ "modem-repair", NULL, "modem", NULL, NOTIFY_WARNING, 5 * MINUTE,
	    "the modem does not work for 5 minutes: %T" },
	{ "modem-ready", NULL, NULL, "modem", NOTIFY_INFO, 0,
	    "the modem works again" },
	/* Strangers, and words that are no command, are nothing to fear. */
	{ "sms-refused", "wrong code", NULL, NULL, NOTIFY_WARNING, 0,
	    "an SMS with a wrong code: %T" },
	{ "sms-refused", "guesses codes", NULL, NULL, NOTIFY_CRITICAL, 0,
	    "many SMS with wrong codes: %T" },
	{ "uplink-dead", NULL, "uplink", NULL, NOTIFY_CRITICAL, 0,
	    "the site's uplink is dead: %T" },
	{ "uplink-back", NULL, NULL, "uplink", NOTIFY_INFO, 0,
	    "the site's uplink is back: %T" },
	{ "drill-failed", NULL, "drill", NULL, NOTIFY_CRITICAL, 0,
	    "the drill failed: %T" },
	{ "drill-done", NULL, NULL, "drill", NOTIFY_INFO, 0,
	    "the drill went well: %T" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Something that is wrong. */
struct open {
	const struct row *row;
	char source[NOTIFY_NAME];
	char text[OPEN_TEXT];
	struct mono due;
	bool told;
};

struct notices {
	struct timer *timer;
	struct open *open;
	size_t nopen;
	notices_tell_fn *tell;
	void *arg;
};

const char *
notices_kind_at(size_t i)
{
	return i < ROWS ? rows[i].kind : NULL;
}

static const struct row *
find_row(const char *kind, const char *text)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (strcmp(rows[i].kind, kind) == 0 && (rows[i].match == NULL ||
		    strstr(text, rows[i].match) != NULL))
			return &rows[i];
	}
	return NULL;
}

/* The value of the first relay=NAME, or nothing. */
static void
source_of(char dst[NOTIFY_NAME], const char *text)
{
	static const char relay[] = "relay=";
	size_t n = 0;

	if (strncmp(text, relay, sizeof(relay) - 1) == 0) {
		text += sizeof(relay) - 1;
		n = strcspn(text, " ");
		if (n >= NOTIFY_NAME)
			n = NOTIFY_NAME - 1;
		memcpy(dst, text, n);
	}
	dst[n] = '\0';
}

/* Where the value of key= begins in the text; NULL: it is not there. */
static const char *
value_of(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p != NULL && (p == text || p[-1] == ' ') ? p + strlen(key) :
	    NULL;
}

/* What of the text is for people: from why= on, or what=, not quoted. */
static void
put_text(char *dst, size_t size, const char *text)
{
	const char *value = value_of(text, "why=");
	size_t n;

	if (value == NULL)
		value = value_of(text, "what=");
	if (value == NULL) {
		snprintf(dst, size, "%s", text);
		return;
	}
	if (*value == '"')
		value++;
	n = strlen(value);
	if (n > 0 && value[n - 1] == '"')
		n--;
	snprintf(dst, size, "%.*s", (int)n, value);
}

static void
put_words(char dst[NOTIFY_TEXT], const char *words, const char *source,
    const char *text)
{
	size_t n = 0;

	for (; *words != '\0' && n < NOTIFY_TEXT - 1; words++) {
		if (words[0] != '%') {
			dst[n++] = *words;
			continue;
		}
		words++;
		if (*words == 'S')
			snprintf(dst + n, NOTIFY_TEXT - n, "%s", source);
		else
			put_text(dst + n, NOTIFY_TEXT - n, text);
		n += strlen(dst + n);
	}
	dst[n] = '\0';
}

static void
say(struct notices *all, const struct row *r, const char *source,
    const char *text)
{
	char words[NOTIFY_TEXT];
	struct notify_event e = { 0, r->severity, source, r->kind, words };

	put_words(words, r->words, source, text);
	all->tell(all->arg, &e);
}

static void
remove_open(struct notices *all, size_t i)
{
	all->nopen--;
	memmove(&all->open[i], &all->open[i + 1],
	    (all->nopen - i) * sizeof(*all->open));
}

/* Tell what is due; sleep until the next is. */
static void
on_time(void *arg)
{
	struct notices *all = arg;
	struct mono now = mono_now();
	int64_t first = -1, wait;

	for (size_t i = 0; i < all->nopen; i++) {
		struct open *o = &all->open[i];

		if (o->told)
			continue;
		wait = mono_ms(now, o->due);
		if (wait <= 0) {
			o->told = true;
			say(all, o->row, o->source, o->text);
		} else if (first < 0 || wait < first) {
			first = wait;
		}
	}
	if (first < 0)
		timer_stop(all->timer);
	else
		timer_set(all->timer, first + 1);
}

static struct open *
find_open(struct notices *all, const char *what, const char *source)
{
	for (size_t i = 0; i < all->nopen; i++) {
		if (strcmp(all->open[i].row->opens, what) == 0 &&
		    strcmp(all->open[i].source, source) == 0)
			return &all->open[i];
	}
	return NULL;
}

static void
open_one(struct notices *all, const struct row *r, const char *source,
    const char *text)
{
	struct open *o = find_open(all, r->opens, source);

	if (o != NULL) {
		/* Its time runs on; what is told is how it is now. */
		o->row = r;
		snprintf(o->text, sizeof(o->text), "%s", text);
		if (o->told && r->hold_ms == 0)
			say(all, r, source, text);
		else if (r->hold_ms == 0)
			o->due = mono_now();
		on_time(all);
		return;
	}
	if (all->nopen == NOTICES_OPEN_MAX) {
		log_warn("too much is wrong at a time: %s of %s is told at "
		    "once", r->kind, source);
		say(all, r, source, text);
		return;
	}
	o = &all->open[all->nopen++];
	o->row = r;
	snprintf(o->source, sizeof(o->source), "%s", source);
	snprintf(o->text, sizeof(o->text), "%s", text);
	o->due = mono_after(mono_now(), r->hold_ms);
	o->told = false;
	on_time(all);
}

static void
end_one(struct notices *all, const struct row *r, const char *source,
    const char *text)
{
	struct open *o = find_open(all, r->ends, source);
	bool told;

	if (o == NULL)
		return;
	told = o->told;
	remove_open(all, (size_t)(o - all->open));
	if (told && r->words != NULL)
		say(all, r, source, text);
}

void
notices_event(struct notices *all, const char *kind, const char *source,
    const char *text)
{
	const struct row *r = find_row(kind, text);
	char from[NOTIFY_NAME];

	if (r == NULL)
		return;
	if (source == NULL)
		source_of(from, text);
	else
		snprintf(from, sizeof(from), "%s", source);
	if (r->opens != NULL)
		open_one(all, r, from, text);
	else if (r->ends != NULL)
		end_one(all, r, from, text);
	else if (r->words != NULL)
		say(all, r, from, text);
}

void
notices_alert(struct notices *all, enum notify_severity severity,
    const char *name, const char *console, const char *text)
{
	char kind[NOTIFY_NAME], words[NOTIFY_TEXT];
	struct notify_event e = { 0, severity, console, kind, words };

	snprintf(kind, sizeof(kind), "alert-%s", name);
	snprintf(words, sizeof(words), "console %s: %s: %s", console, name,
	    text);
	all->tell(all->arg, &e);
}

struct notices *
notices_new(struct loop *loop, notices_tell_fn *tell, void *arg)
{
	struct notices *all = xcalloc(1, sizeof(*all));

	all->timer = timer_new(loop, on_time, all);
	all->open = xcalloc(NOTICES_OPEN_MAX, sizeof(*all->open));
	all->tell = tell;
	all->arg = arg;
	return all;
}

void
notices_free(struct notices *all)
{
	if (all == NULL)
		return;
	timer_free(all->timer);
	free(all->open);
	free(all);
}
