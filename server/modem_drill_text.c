/*
 * How the drills went, in words and as JSON.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "modem_drill_internal.h"

#define WHEN 32

static const char *const hows[] = {
	[DRILL_GOOD] = "good",
	[DRILL_FAILED] = "failed",
	[DRILL_CUT] = "cut",
};

/* "2026-11-22 03:00 UTC". */
static char *
when_text(char dst[WHEN], int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(dst, WHEN, "%Y-%m-%d %H:%M UTC", &tm);
	return dst;
}

char *
modem_drill_cost(const struct modem_drill_run *r, char dst[MODEM_DRILL_COST])
{
	const char *way = strcmp(r->way, "ppp") == 0 ? "over PPP" :
	    strcmp(r->way, "existing") == 0 ? "over the existing uplink" :
	    "no way";

	snprintf(dst, MODEM_DRILL_COST, "%s, took %lld s, %llu kB", way,
	    (long long)(r->ms + 500) / 1000,
	    (unsigned long long)(r->bytes + 999) / 1000);
	return dst;
}

static void
add(char dst[MODEM_DRILL_TEXT], const char *text)
{
	size_t n = strlen(dst);

	snprintf(dst + n, MODEM_DRILL_TEXT - n, "%s%s", n == 0 ? "" : "; ",
	    text);
}

static void
add_last(const struct modem_drill_record *r, char dst[MODEM_DRILL_TEXT])
{
	char text[DRILL_WHY + 100], when[WHEN];

	if (r->running || r->last.at == 0 || r->how == DRILL_GOOD)
		return;
	snprintf(text, sizeof(text), "%s %s: %s", r->how == DRILL_CUT ?
	    "cut short" : "FAILED", when_text(when, r->last.at), r->last.why);
	add(dst, text);
}

static void
add_good(const struct modem_drill_record *r, char dst[MODEM_DRILL_TEXT])
{
	char text[DRILL_WHY + 100], when[WHEN], cost[MODEM_DRILL_COST];

	if (r->good.at == 0) {
		add(dst, "never proven");
		return;
	}
	snprintf(text, sizeof(text), "last proven working %s %s: %.120s",
	    when_text(when, r->good.at), modem_drill_cost(&r->good, cost),
	    r->good.why);
	add(dst, text);
}

static int64_t
next_of(const struct modem_drill *d)
{
	const struct schedule_now now = modem_drill_now();
	struct schedule s = modem_drill_schedule(d);

	return schedule_next(&s, &now, d->record.slot);
}

char *
modem_drill_text(const struct modem_drill *d, char dst[MODEM_DRILL_TEXT])
{
	char text[DRILL_WHY + 100], when[WHEN];
	bool scheduled = d->m->conf->activation.drill_minute >= 0;
	int64_t next;

	dst[0] = '\0';
	if (!scheduled && d->record.last.at == 0)
		return dst;
	if (drill_at(d->drill) != DRILL_IDLE) {
		snprintf(text, sizeof(text), "under way since %s: %s",
		    when_text(when, d->record.last.at), drill_step(d->drill));
		add(dst, text);
	}
	add_last(&d->record, dst);
	add_good(&d->record, dst);
	if (scheduled) {
		next = next_of(d);
		snprintf(text, sizeof(text), "next %s", next == -1 ?
		    "when the clock is set" : when_text(when, next));
		add(dst, text);
	}
	return dst;
}

static json_t *
when_json(int64_t utc)
{
	char text[STAMP_TEXT];

	return utc <= 0 ? json_null() :
	    json_string(stamp_text(text, utc * 1000000));
}

static json_t *
run_json(const struct modem_drill_run *r, enum drill_how how)
{
	if (r->at == 0)
		return json_null();
	return json_pack("{s:o, s:s, s:f, s:I, s:s, s:s}",
	    "at", when_json(r->at), "result", hows[how],
	    "seconds", (double)r->ms / 1000, "bytes", (json_int_t)r->bytes,
	    "way", r->way[0] == '\0' ? "none" : r->way, "text", r->why);
}

json_t *
modem_drill_json(const struct modem_drill *d)
{
	const struct config_activation *a = &d->m->conf->activation;
	const struct modem_drill_record *r = &d->record;

	return json_pack("{s:s*, s:s, s:o, s:o, s:o}",
	    "schedule", a->drill,
	    "doing", drill_step(d->drill),
	    "last", r->running ? json_null() : run_json(&r->last, r->how),
	    "proven", run_json(&r->good, DRILL_GOOD),
	    "next", when_json(a->drill_minute < 0 ? -1 : next_of(d)));
}
