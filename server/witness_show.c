#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "witness_internal.h"

#define SHOWN_JSON 16		/* alerts in status --json */
#define SHOWN_TEXT 3		/* and in text */

/* NULL: he never was there. */
static const struct bookmark *
digest_of(struct witness *t, struct wire *w, const char *user,
    struct digest *d)
{
	struct place *p = wire_place(w);
	uint64_t head = history_head(wire_history(w));

	if (t == NULL || p == NULL)
		return NULL;
	d->console = wire_conf(w)->name;
	d->from = bookmarks_find(t->bookmarks, user, d->console);
	d->chronicle = p->chronicle;
	d->now = chronicle_tally(p->chronicle, head, place_lines(p, head));
	d->now_utc_us = stamp_now().utc_us;
	return d->from;
}

char *
witness_digest(struct witness *t, struct wire *w, const char *user,
    char *dst, bool *news)
{
	struct digest d;

	*news = false;
	dst[0] = '\0';
	if (digest_of(t, w, user, &d) == NULL)
		return dst;
	*news = digest_has_news(&d);
	return digest_text(dst, &d);
}

static json_t *
row_json(const struct chronicle_row *r)
{
	char when[STAMP_TEXT];

	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "time",
	    stamp_text(when, r->when.utc_us), "what",
	    chronicle_what_text(r->what), "severity",
	    severity_text(r->severity), "name", r->name, "text", r->text);
}

json_t *
witness_digest_json(struct witness *t, struct wire *w, const char *user)
{
	struct digest d;
	struct digest_news n;
	json_t *rows;
	char when[STAMP_TEXT];

	if (digest_of(t, w, user, &d) == NULL)
		return NULL;
	n = digest_news(&d);
	rows = json_array();
	for (size_t i = 0; i < chronicle_count(d.chronicle); i++) {
		const struct chronicle_row *r =
		    chronicle_row_at(d.chronicle, i);

		if (r->seq > d.from->seen.seq)
			json_array_append_new(rows, row_json(r));
	}
	return json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, "
	    "s:o}", "console", d.console, "since", stamp_text(when,
	    d.from->utc_us), "cut", d.from->cut && !d.from->told,
	    "anew", n.anew, "bytes", (json_int_t)n.bytes,
	    "lines", (json_int_t)n.lines,
	    "attached", (json_int_t)n.of[CHRONICLE_ATTACH],
	    "alerts", (json_int_t)n.of[CHRONICLE_ALERT],
	    "reboots", (json_int_t)n.of[CHRONICLE_REBOOT],
	    "losses", (json_int_t)n.of[CHRONICLE_LOST], "events", rows);
}

static bool
is_alert(const struct chronicle_row *r)
{
	return r->what == CHRONICLE_ALERT || r->what == CHRONICLE_REBOOT;
}

/* The newest alerts, at most so many, oldest first: where they begin. */
static size_t
first_alert(const struct chronicle *c, size_t most)
{
	size_t i = chronicle_count(c), found = 0, first = i;

	while (i > 0 && found < most) {
		if (is_alert(chronicle_row_at(c, --i))) {
			found++;
			first = i;
		}
	}
	return first;
}

static json_t *
crash_json(const struct crash_info *c)
{
	char when[STAMP_TEXT];

	return json_pack("{s:i, s:s, s:s, s:I, s:b, s:s, s:s}", "id",
	    (int)c->id, "time", stamp_text(when, c->utc_us),
	    "alert", c->alert, "bytes", (json_int_t)c->bytes,
	    "complete", c->ended[0] != '\0' && strcmp(c->ended, "cut") != 0 &&
	    strcmp(c->ended, "gap") != 0, "ended", c->ended,
	    "file", c->file);
}

json_t *
witness_json(struct wire *w)
{
	struct place *p = wire_place(w);
	json_t *alerts, *crashes;
	struct crash_info *all;
	struct look_state st;
	struct tally t;
	size_t n;

	if (p == NULL)
		return NULL;
	alerts = json_array();
	crashes = json_array();
	look_state(p->look, &st);
	t = chronicle_tally(p->chronicle, 0, 0);
	for (size_t i = first_alert(p->chronicle, SHOWN_JSON);
	    i < chronicle_count(p->chronicle); i++) {
		if (is_alert(chronicle_row_at(p->chronicle, i)))
			json_array_append_new(alerts,
			    row_json(chronicle_row_at(p->chronicle, i)));
	}
	all = look_crashes(p->look, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(crashes, crash_json(&all[i]));
	free(all);
	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}",
	    "raised", (json_int_t)t.of[CHRONICLE_ALERT] +
	    (json_int_t)t.of[CHRONICLE_REBOOT],
	    "reboots", (json_int_t)t.of[CHRONICLE_REBOOT],
	    "not_looked_at", (json_int_t)st.skipped,
	    "dropped", (json_int_t)st.dropped, "newest", alerts,
	    "crashes", crashes);
}

void
witness_status(const struct answer *a, struct wire *w)
{
	struct place *p = wire_place(w);
	char when[STAMP_TEXT];
	struct crash_info *all;
	struct look_state st;
	size_t n;

	if (p == NULL)
		return;
	look_state(p->look, &st);
	for (size_t i = first_alert(p->chronicle, SHOWN_TEXT);
	    i < chronicle_count(p->chronicle); i++) {
		const struct chronicle_row *r =
		    chronicle_row_at(p->chronicle, i);

		if (is_alert(r))
			answer_outf(a, 1, "  alert %s: %s, %s: %s\n", r->name,
			    stamp_text(when, r->when.utc_us),
			    severity_text(r->severity), r->text);
	}
	if (st.skipped > 0)
		answer_outf(a, 1, "  alerts: %" PRIu64 " bytes were never "
		    "looked at\n", st.skipped);
	all = look_crashes(p->look, &n);
	for (size_t i = 0; i < n; i++)
		answer_outf(a, 1, "  crash %u: %s, %s, %" PRIu64 " bytes, "
		    "%s\n", all[i].id, stamp_text(when, all[i].utc_us),
		    all[i].alert, all[i].bytes, all[i].ended[0] == '\0' ?
		    "still growing" : all[i].ended);
	free(all);
}
