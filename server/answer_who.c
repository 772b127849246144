#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serial/tail.h"
#include "answer_internal.h"
#include "base/str.h"
#include "grants.h"

#define LAST_OUTPUT_BYTES 80

/* list and who: what there is, and who is where. */

int
answer_wants_json(const struct answer *a)
{
	if (a->argc == 1)
		return 0;
	if (a->argc == 2 && strcmp(a->argv[1], "--json") == 0)
		return 1;
	answer_outf(a, 2, "usage: %s [--json]\n", a->argv[0]);
	answer_end(a, ST_USAGE);
	return -1;
}

void
answer_json(const struct answer *a, json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2));

	json_decref(value);
	if (text == NULL) {
		answer_out(a, 2, "oobd: out of memory\n");
		answer_end(a, ST_FAILED);
		return;
	}
	answer_out(a, 1, text);
	answer_out(a, 1, "\n");
	free(text);
	answer_end(a, ST_OK);
}

char *
answer_span(char dst[SPAN_TEXT], int64_t ms)
{
	int64_t s = ms / 1000;

	if (ms < 0)
		snprintf(dst, SPAN_TEXT, "-");
	else if (s < 86400)
		snprintf(dst, SPAN_TEXT, "%02d:%02d:%02d", (int)(s / 3600),
		    (int)(s / 60 % 60), (int)(s % 60));
	else
		snprintf(dst, SPAN_TEXT, "%" PRId64 "d %02d:%02d", s / 86400,
		    (int)(s / 3600 % 24), (int)(s / 60 % 60));
	return dst;
}

/* The last line that holds something, shortened. */
static void
last_output(const struct wire *w, char dst[LAST_OUTPUT_BYTES])
{
	uint64_t end;
	char *text = tail_text(wire_history(w), 5, false, &end), *line, *next;

	dst[0] = '\0';
	for (line = text; line != NULL; line = next) {
		next = strpbrk(line, "\r\n");
		if (next != NULL)
			*next++ = '\0';
		if (line[strspn(line, " ")] != '\0')
			str_safe(dst, LAST_OUTPUT_BYTES, line, strlen(line));
	}
	free(text);
}

/* As what he is there for how long; NULL: it is by no grant. */
static json_t *
grant_json(const struct answer *a, const struct wire *w)
{
	const struct grant *x = guest_grant(a->guest, w);

	if (x == NULL)
		return NULL;
	return json_pack("{s:s, s:f}", "role", role_text(x->role), "left_s",
	    (double)grants_left_ms(x, stamp_now()) / 1000);
}

static json_t *
console_json(const struct answer *a, const struct wire *w)
{
	const struct config_console *c = wire_conf(w);
	const struct seat *writer = hub_writer(wire_hub(w));
	char line[LINE_TEXT], stamp[STAMP_TEXT], last[LAST_OUTPUT_BYTES];
	struct wire_info i;

	wire_info(w, &i);
	last_output(w, last);
	return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:s*, s:i, s:s*, "
	    "s:s, s:s*, s:o*}",
	    "name", c->name, "description", c->description,
	    "up", wire_is_up(w), "line", line_text(line, wire_line(w)),
	    "device", c->device,
	    "sharing", c->sharing == SHARING_ALL ? "all" : "single",
	    "writer", writer == NULL ? NULL : seat_who(writer)->user,
	    "attached", (int)hub_count(wire_hub(w)),
	    "last_output_time", i.last_ms < 0 ? NULL :
	    stamp_text(stamp, i.last_utc_us),
	    "last_output", last,
	    "problem", i.problem[0] == '\0' ? NULL : i.problem,
	    "grant", grant_json(a, w));
}

static void
list_line(const struct answer *a, const struct wire *w)
{
	const struct config_console *c = wire_conf(w);
	const struct seat *writer = hub_writer(wire_hub(w));
	char line[LINE_TEXT], last[SPAN_TEXT];
	struct wire_info i;

	wire_info(w, &i);
	answer_outf(a, 1, "%-16s %-4s %-18s %-10s %2zu  %-9s %s\n", c->name,
	    wire_is_up(w) ? "up" : "DOWN", line_text(line, wire_line(w)),
	    writer == NULL ? "-" : seat_who(writer)->user,
	    hub_count(wire_hub(w)), answer_span(last, i.last_ms),
	    c->description);
}

void
answer_list(const struct answer *a)
{
	int json = answer_wants_json(a);
	json_t *list;
	struct wire *w;

	if (json == -1)
		return;
	list = json_array();
	if (!json)
		answer_outf(a, 1, "%-16s %-4s %-18s %-10s %2s  %-9s %s\n",
		    "CONSOLE", "LINE", "SETTINGS", "PEN", "AT", "QUIET FOR",
		    "DESCRIPTION");
	for (size_t i = 0; i < wires_count(a->console->wires); i++) {
		w = wires_at(a->console->wires, i);
		if (!guest_sees(a->guest, w))
			continue;
		if (json)
			json_array_append_new(list, console_json(a, w));
		else
			list_line(a, w);
	}
	if (json) {
		answer_json(a, list);
		return;
	}
	json_decref(list);
	answer_end(a, ST_OK);
}

struct who {
	const struct answer *answer;
	json_t *list;		/* NULL: as text */
};

static bool
who_line(void *arg, const struct guest_info *g)
{
	struct who *who = arg;
	const struct answer *a = who->answer;
	char since[SPAN_TEXT], idle[SPAN_TEXT], granted[SPAN_TEXT];
	struct wire *w;

	if (!g->attached)
		return true;
	w = wires_named(a->console->wires, g->console);
	if (w == NULL || !guest_sees(a->guest, w))
		return true;
	if (who->list != NULL) {
		json_array_append_new(who->list, json_pack("{s:I, s:s, s:s, "
		    "s:b, s:s, s:s, s:s, s:f, s:f, s:o*}", "id",
		    (json_int_t)g->id, "console", g->console, "user", g->user,
		    "writes", g->writes, "from", g->from, "via", g->via,
		    "key", g->key, "since_s", (double)g->since_ms / 1000,
		    "idle_s", (double)g->idle_ms / 1000, "granted_s",
		    g->granted_ms < 0 ? NULL :
		    json_real((double)g->granted_ms / 1000)));
		return true;
	}
	answer_outf(a, 1, "%4" PRIu32 "  %-16s %-16s %-5s %-24s %-12s %-9s "
	    "%s%s%s\n", g->id, g->console, g->user, g->writes ? "pen" :
	    "watch", g->from, g->via, answer_span(since, g->since_ms),
	    answer_span(idle, g->idle_ms), g->granted_ms < 0 ? "" :
	    "  by a grant for ", g->granted_ms < 0 ? "" :
	    answer_span(granted, g->granted_ms));
	return true;
}

void
answer_who(const struct answer *a)
{
	int json = answer_wants_json(a);
	struct who who = { a, NULL };

	if (json == -1)
		return;
	if (json)
		who.list = json_array();
	else
		answer_outf(a, 1, "%4s  %-16s %-16s %-5s %-24s %-12s %-9s "
		    "%s\n", "ID", "CONSOLE", "USER", "MODE", "FROM", "VIA",
		    "SINCE", "IDLE");
	guests_each(a->console, who_line, &who);
	if (json)
		answer_json(a, who.list);
	else
		answer_end(a, ST_OK);
}
