#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "alerts_internal.h"

#define HOUR_MS (60 * 60 * 1000)
#define GRACE_MS (60 * 1000)	/* see alerts_begin */

static const char *const on_names[] = {
	[ALERT_MATCH] = "match",
	[ALERT_REBOOT] = "reboot",
	[ALERT_PANIC] = "panic",
	[ALERT_SILENCE] = "silence",
	[ALERT_OUTPUT] = "output",
	[ALERT_LINE] = "line",
};

const char *
alert_on_text(enum alert_on on)
{
	return on_names[on];
}

/*
 * Rules
 */
static struct pattern *
compile(const char *ere, bool ignore_case)
{
	struct pattern *p;
	char why[PATTERN_WHY];

	if (ere == NULL)
		return NULL;
	p = pattern_new(ere, ignore_case, why);
	if (p == NULL)
		mem_failed();	/* it was checked; a blind rule tells nobody */
	return p;
}

static void
rule_init(struct rule *r, const struct alert_rule *conf)
{
	memset(r, 0, sizeof(*r));
	r->conf = *conf;
	snprintf(r->name, sizeof(r->name), "%s", conf->name);
	r->conf.name = r->name;
	r->match = conf->match != NULL ? xstrdup(conf->match) : NULL;
	r->conf.match = r->match;
	r->pattern = compile(conf->match, conf->ignore_case);
	if (r->conf.before > ALERTS_LINES)
		r->conf.before = ALERTS_LINES;
	if (r->conf.after > ALERTS_LINES)
		r->conf.after = ALERTS_LINES;
}

static void
rule_free(struct rule *r)
{
	pattern_free(r->pattern);
	free(r->match);
}

static void
free_rules(struct alerts *a)
{
	for (size_t i = 0; i < a->nrules; i++)
		rule_free(&a->rules[i]);
	free(a->rules);
	a->rules = NULL;
	a->nrules = 0;
}

/* Which omens any of the rules wants, compiled once for all of them. */
static void
set_omens(struct alerts *a)
{
	bool wanted[OMENS] = { false };
	char *ere;

	for (size_t i = 0; i < a->nrules; i++) {
		const struct alert_rule *c = &a->rules[i].conf;

		if (c->omens && c->on == ALERT_REBOOT)
			wanted[OMEN_BOOT] = wanted[OMEN_KERNEL] = true;
		if (c->omens && c->on == ALERT_PANIC)
			wanted[OMEN_PANIC] = true;
	}
	for (int i = 0; i < OMENS; i++) {
		pattern_free(a->omens[i]);
		ere = wanted[i] ? omen_pattern((enum omen)i) : NULL;
		a->omens[i] = compile(ere, false);
		free(ere);
	}
}

static void
keep_state(struct rule *to, const struct rule *from)
{
	to->matched = from->matched;
	to->last = from->last;
	to->raised = from->raised;
	to->hour = from->hour;
	to->in_hour = from->in_hour;
	to->more = from->more;
	to->open = from->open;
	to->told = from->told;
	to->waits = from->waits;
}

void
alerts_set_rules(struct alerts *a, const struct alert_rule *rules, size_t n)
{
	struct rule *fresh;

	alerts_report_all(a);
	if (n > ALERTS_MAX)
		n = ALERTS_MAX;
	fresh = xcalloc(n, sizeof(*fresh));
	for (size_t i = 0; i < n; i++) {
		rule_init(&fresh[i], &rules[i]);
		for (size_t j = 0; j < a->nrules; j++) {
			if (a->rules[j].conf.on == rules[i].on &&
			    strcmp(a->rules[j].name, rules[i].name) == 0)
				keep_state(&fresh[i], &a->rules[j]);
		}
	}
	free_rules(a);
	a->rules = fresh;
	a->nrules = n;
	set_omens(a);
}

struct alerts *
alerts_new(const struct alert_rule *rules, size_t n,
    const struct alerts_ops *ops, void *arg)
{
	struct alerts *a = xcalloc(1, sizeof(*a));

	a->ops = ops;
	a->arg = arg;
	alerts_set_rules(a, rules, n);
	return a;
}

void
alerts_free(struct alerts *a)
{
	if (a == NULL)
		return;
	free_rules(a);
	for (int i = 0; i < OMENS; i++)
		pattern_free(a->omens[i]);
	free(a);
}

/*
 * Raising
 */

/* The one place where it is decided whether somebody hears of it. */
static bool
raise_alert(struct alerts *a, struct rule *r, const struct alert_hit *what)
{
	struct mono now = what->when.mono;
	bool same = r->matched && mono_ms(r->last, now) < r->conf.settle_ms &&
	    mono_ms(r->raised, now) < ALERTS_AGAIN_MS;
	struct alert_hit hit = *what;

	r->last = now;
	if (!r->matched || mono_ms(r->hour, now) >= HOUR_MS) {
		r->hour = now;
		r->in_hour = 0;
	}
	if (same || (r->conf.hourly > 0 && r->in_hour >= r->conf.hourly)) {
		r->matched = true;
		r->more++;
		return false;
	}
	r->matched = true;
	r->in_hour++;
	r->raised = now;
	hit.rule = &r->conf;
	hit.more = r->more;
	r->more = 0;
	a->ops->raised(a->arg, &hit);
	alerts_report(a, r, &hit);
	return true;
}

/* It is over: as news, unless it never was any. */
static void
end_alert(struct alerts *a, struct rule *r, const struct alert_hit *what)
{
	struct alert_hit hit = *what;

	r->open = false;
	if (!r->told)
		return;
	hit.rule = &r->conf;
	hit.over = true;
	a->ops->raised(a->arg, &hit);
	a->ops->report(a->arg, &hit);
}

static const char *
span_text(char dst[32], int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 120)
		snprintf(dst, 32, "%" PRId64 " s", s);
	else if (s < 7200)
		snprintf(dst, 32, "%" PRId64 " min", s / 60);
	else
		snprintf(dst, 32, "%" PRId64 " h", s / 3600);
	return dst;
}

/*
 * Lines
 */

static bool
is_plain(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	}
	return true;
}

/* The line so far as text in a->text.  Most are plain already. */
static void
put_text(struct alerts *a)
{
	size_t n = a->nraw;

	while (n > 0 && a->raw[n - 1] == '\r')
		n--;
	if (is_plain(a->raw, n)) {
		memcpy(a->text, a->raw, n);
		a->ntext = n;
	} else {
		a->ntext = strip_line(a->raw, n, a->text, sizeof(a->text));
	}
	a->text[a->ntext] = '\0';
}

static bool
omen_says(struct alerts *a, const struct alert_rule *conf)
{
	const char *t = a->text;
	size_t n = a->ntext;

	if (!conf->omens)
		return false;
	if (conf->on == ALERT_PANIC)
		return a->omens[OMEN_PANIC] != NULL &&
		    pattern_matches(a->omens[OMEN_PANIC], t, n);
	if (a->omens[OMEN_BOOT] != NULL &&
	    pattern_matches(a->omens[OMEN_BOOT], t, n))
		return true;
	if (a->has_typed && mono_ms(a->typed, a->line_when.mono) <
	    ALERTS_TYPED_MS)
		return false;
	return a->omens[OMEN_KERNEL] != NULL &&
	    pattern_matches(a->omens[OMEN_KERNEL], t, n);
}

static bool
rule_says(struct alerts *a, struct rule *r)
{
	switch (r->conf.on) {
	case ALERT_MATCH:
	case ALERT_REBOOT:
	case ALERT_PANIC:
		if (r->pattern != NULL &&
		    pattern_matches(r->pattern, a->text, a->ntext))
			return true;
		return omen_says(a, &r->conf);
	case ALERT_OUTPUT:
		if (!r->waits || a->ntext == 0)
			return false;
		r->waits = false;
		return true;
	case ALERT_SILENCE:
	case ALERT_LINE:
		break;
	}
	return false;
}

static void
match_line(struct alerts *a)
{
	char text[ALERTS_TEXT + 48], span[32];
	struct alert_hit hit = { .when = a->line_when, .offset = a->line_at,
	    .text = text };

	for (size_t i = 0; i < a->nrules; i++) {
		struct rule *r = &a->rules[i];

		if (r->in_line || !rule_says(a, r))
			continue;
		r->in_line = true;
		alerts_cut(text, ALERTS_TEXT, a->text);
		if (r->conf.on == ALERT_OUTPUT) {
			snprintf(text, sizeof(text), "output after %s of "
			    "silence: ", span_text(span, r->silent_ms));
			alerts_cut(text + strlen(text), ALERTS_TEXT / 2,
			    a->text);
		}
		(void)raise_alert(a, r, &hit);
	}
}

static void
begin_line(struct alerts *a)
{
	a->nraw = 0;
	a->looked = false;
	for (size_t i = 0; i < a->nrules; i++)
		a->rules[i].in_line = false;
}

static void
end_line(struct alerts *a)
{
	put_text(a);
	alerts_context(a);
	match_line(a);
	alerts_remember(a);
	begin_line(a);
}

/* Nothing came for a while: a prompt. */
static void
look_at_unfinished(struct alerts *a)
{
	a->looked = true;
	put_text(a);
	match_line(a);
}

static void
add_bytes(struct alerts *a, struct stamp when, uint64_t offset,
    const uint8_t *p, size_t n)
{
	if (a->nraw == 0) {
		a->line_at = offset;
		a->line_when = when;
	}
	memcpy(a->raw + a->nraw, p, n);
	a->nraw += n;
	a->looked = a->looked && n == 0;
}

/*
 * Silence
 */
static void
silence_ends(struct alerts *a, struct rule *r, struct stamp when,
    uint64_t offset)
{
	int64_t ms = mono_ms(a->last.mono, when.mono);
	char text[64], span[32];
	struct alert_hit hit = { .when = when, .offset = offset,
	    .text = text };

	if (r->conf.on == ALERT_OUTPUT && ms >= r->conf.quiet_ms) {
		r->waits = true;
		r->silent_ms = ms;
	}
	if (r->conf.on != ALERT_SILENCE || !r->open)
		return;
	snprintf(text, sizeof(text), "output again after %s",
	    span_text(span, ms));
	end_alert(a, r, &hit);
}

static void
silence_lasts(struct alerts *a, struct rule *r, struct stamp now,
    uint64_t offset)
{
	char text[64], span[32];
	struct alert_hit hit = { .when = now, .offset = offset,
	    .text = text };
	int64_t ms = mono_ms(a->last.mono, now.mono);

	if (r->conf.on != ALERT_SILENCE || r->open || ms < r->conf.quiet_ms)
		return;
	r->open = true;
	snprintf(text, sizeof(text), "no output for %s",
	    span_text(span, ms));
	r->told = raise_alert(a, r, &hit);
}

static void
line_lasts(struct alerts *a, struct rule *r, struct stamp now,
    uint64_t offset)
{
	struct alert_hit hit = { .when = now, .offset = offset,
	    .text = "the line is lost" };

	if (r->conf.on != ALERT_LINE || r->open || a->up ||
	    mono_ms(a->down.mono, now.mono) < r->conf.settle_ms)
		return;
	r->open = true;
	r->told = raise_alert(a, r, &hit);
}

/*
 * What comes
 */
void
alerts_begin(struct alerts *a, struct stamp last, struct stamp now)
{
	a->last = last;
	a->up = true;
	for (size_t i = 0; i < a->nrules; i++) {
		struct rule *r = &a->rules[i];

		r->told = r->open = r->conf.on == ALERT_SILENCE &&
		    mono_ms(last.mono, now.mono) >=
		    r->conf.quiet_ms + GRACE_MS;
	}
}

void
alerts_data(struct alerts *a, struct stamp when, uint64_t offset,
    const void *data, size_t n)
{
	const uint8_t *p = data, *nl;
	size_t part;

	if (n == 0)
		return;
	(void)alerts_tick(a, when, offset);
	for (size_t i = 0; i < a->nrules; i++)
		silence_ends(a, &a->rules[i], when, offset);
	a->last = when;
	for (; n > 0; p += part, offset += part, n -= part) {
		nl = memchr(p, '\n', n);
		part = nl == NULL ? n : (size_t)(nl - p);
		if (part > ALERTS_LINE - a->nraw)
			part = ALERTS_LINE - a->nraw;
		else if (nl != NULL)
			part++;
		if (p + part - 1 == nl && part > 0) {
			add_bytes(a, when, offset, p, part - 1);
			end_line(a);
			a->lines++;
			continue;
		}
		add_bytes(a, when, offset, p, part);
		if (a->nraw == ALERTS_LINE)
			end_line(a);
	}
}

void
alerts_skip(struct alerts *a, uint64_t offset)
{
	(void)offset;
	begin_line(a);
}

void
alerts_line(struct alerts *a, struct stamp when, uint64_t offset, bool up)
{
	struct alert_hit hit = { .when = when, .offset = offset,
	    .text = "the line is back" };

	if (a->up == up)
		return;
	(void)alerts_tick(a, when, offset);
	a->up = up;
	a->down = when;
	for (size_t i = 0; i < a->nrules && up; i++) {
		struct rule *r = &a->rules[i];

		if (r->conf.on == ALERT_LINE && r->open)
			end_alert(a, r, &hit);
	}
}

void
alerts_typed(struct alerts *a, struct mono when)
{
	a->typed = when;
	a->has_typed = true;
}

/* When the rule has something to do by itself. */
static int64_t
rule_due(const struct alerts *a, const struct rule *r)
{
	if (r->conf.on == ALERT_SILENCE && !r->open)
		return mono_after(a->last.mono, r->conf.quiet_ms).us;
	if (r->conf.on == ALERT_LINE && !r->open && !a->up)
		return mono_after(a->down.mono, r->conf.settle_ms).us;
	return INT64_MAX;
}

int64_t
alerts_tick(struct alerts *a, struct stamp now, uint64_t offset)
{
	int64_t due = INT64_MAX, one;

	if (a->nraw > 0 && !a->looked) {
		due = mono_after(a->last.mono, ALERTS_QUIET_MS).us;
		if (due <= now.mono.us) {
			look_at_unfinished(a);
			due = INT64_MAX;
		}
	}
	for (size_t i = 0; i < a->nrules; i++) {
		silence_lasts(a, &a->rules[i], now, offset);
		line_lasts(a, &a->rules[i], now, offset);
		one = rule_due(a, &a->rules[i]);
		due = one < due ? one : due;
	}
	one = alerts_report_due(a, now.mono);
	return one < due ? one : due;
}

uint64_t
alerts_lines(const struct alerts *a)
{
	return a->lines;
}
