#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serial/history.h"
#include "answer_internal.h"
#include "console_seal.h"
#include "witness.h"

/* status: the whole box on one page. */

static json_t *
line_json(struct wire *w)
{
	struct scribe_state st;
	struct wire_info i;
	char line[LINE_TEXT];

	wire_info(w, &i);
	scribe_state(wire_log(w), &st);
	return json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:s*, s:I, s:I, s:I, "
	    "s:I, s:I, s:I, s:I, s:f, s:f, s:i, s:b, "
	    "s:{s:b, s:s*, s:s, s:I, s:I, s:I, s:I}, s:o*}",
	    "name", wire_conf(w)->name, "up", wire_is_up(w),
	    "line", line_text(line, wire_line(w)),
	    "path", i.path, "driver", i.driver, "usb", i.usb,
	    "problem", i.problem[0] == '\0' ? NULL : i.problem,
	    "received", (json_int_t)i.received, "sent", (json_int_t)i.sent,
	    "losses", (json_int_t)i.losses, "breaks", (json_int_t)i.breaks,
	    "framing_errors", (json_int_t)i.frame_errors,
	    "parity_errors", (json_int_t)i.parity_errors,
	    "overruns", (json_int_t)i.overruns,
	    "up_s", i.up_ms < 0 ? -1.0 : (double)i.up_ms / 1000,
	    "quiet_s", i.last_ms < 0 ? -1.0 : (double)i.last_ms / 1000,
	    "attached", (int)hub_count(wire_hub(w)), "held", i.held,
	    "journal", "healthy", st.healthy,
	    "problem", st.healthy ? NULL : st.problem, "file", st.file,
	    "file_bytes", (json_int_t)st.file_bytes,
	    "offset", (json_int_t)history_head(wire_history(w)),
	    "written", (json_int_t)st.written, "lost", (json_int_t)st.lost,
	    "alerts", witness_json(w));
}

static json_t *
process_json(const struct child_state *s)
{
	return json_pack("{s:s, s:b, s:I, s:s}", "role", s->role, "up", s->up,
	    "restarts", (json_int_t)s->restarts, "why", s->why);
}

/*
 * Where status shows what peers say: the link by itself, each relay and each
 * sink of notifications under its name, all else under the process that it
 * comes from.
 */
static const char *
info_group(const struct info *i, const char **key)
{
	static const char relay[] = "relay.", notify[] = "notify.";

	*key = i->key;
	if (strncmp(i->key, relay, sizeof(relay) - 1) == 0) {
		*key = i->key + sizeof(relay) - 1;
		return "relays";
	}
	if (strncmp(i->key, notify, sizeof(notify) - 1) == 0) {
		*key = i->key + sizeof(notify) - 1;
		return "notify";
	}
	if (strcmp(i->key, "link") == 0)
		return "";
	return client_peer(i->from) == PEER_MODEM ? "modem" : "ssh";
}

static void
add_infos(const struct console *c, json_t *to)
{
	static const char *const groups[] = { "ssh", "modem", "relays",
	    "notify" };
	const char *group, *key;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		json_object_set_new(to, groups[i], json_object());
	for (size_t i = 0; i < sizeof(c->infos) / sizeof(c->infos[0]); i++) {
		if (c->infos[i].from == NULL)
			continue;
		group = info_group(&c->infos[i], &key);
		json_object_set_new(*group == '\0' ? to :
		    json_object_get(to, group), key,
		    json_string(c->infos[i].text));
	}
}

static void
infos_text(const struct answer *a)
{
	const struct console *c = a->console;
	const char *group, *key;

	for (size_t i = 0; i < sizeof(c->infos) / sizeof(c->infos[0]); i++) {
		if (c->infos[i].from == NULL)
			continue;
		group = info_group(&c->infos[i], &key);
		answer_outf(a, 1, "%s%s%s: %s\n",
		    strcmp(group, "relays") == 0 ? "relay" : group,
		    *group == '\0' ? "" : " ", key, c->infos[i].text);
	}
}

static void
status_json(const struct answer *a)
{
	struct console *c = a->console;
	json_t *lines = json_array(), *processes = json_array(), *o;
	char now[STAMP_TEXT], seal[SEAL_TEXT];

	for (size_t i = 0; i < wires_count(c->wires); i++) {
		struct wire *w = wires_at(c->wires, i);

		if (guest_sees(a->guest, w))
			json_array_append_new(lines, line_json(w));
	}
	for (size_t i = 0; i < sizeof(c->others) / sizeof(c->others[0]); i++) {
		if (c->others[i].role[0] != '\0')
			json_array_append_new(processes,
			    process_json(&c->others[i]));
	}
	o = json_pack("{s:s, s:s*, s:s, s:s, s:f, s:o, s:o}",
	    "name", c->conf->name,
	    "seal", sealer_text(c, seal) ? seal : NULL,
	    "version", OOBD_VERSION,
	    "time", stamp_text(now, stamp_now().utc_us),
	    "console_process_up_s",
	    (double)mono_ms(c->started, mono_now()) / 1000,
	    "consoles", lines, "processes", processes);
	json_object_set_new(o, "grants", answer_grants_json(a));
	add_infos(c, o);
	answer_json(a, o);
}

static void
line_status(const struct answer *a, struct wire *w)
{
	char line[LINE_TEXT], up[SPAN_TEXT], quiet[SPAN_TEXT];
	struct scribe_state st;
	struct wire_info i;

	wire_info(w, &i);
	scribe_state(wire_log(w), &st);
	answer_outf(a, 1, "console %s: %s, %s, %s%s%s%s\n",
	    wire_conf(w)->name, wire_is_up(w) ? "up" : "DOWN",
	    line_text(line, wire_line(w)), i.path,
	    i.driver[0] == '\0' ? "" : ", ", i.driver,
	    i.held ? ", a flood is held back" : "");
	if (i.problem[0] != '\0')
		answer_outf(a, 1, "  problem: %s\n", i.problem);
	answer_outf(a, 1, "  up for %s, quiet for %s, lost %" PRIu64
	    " times, %zu attached\n", answer_span(up, i.up_ms),
	    answer_span(quiet, i.last_ms), i.losses,
	    hub_count(wire_hub(w)));
	answer_outf(a, 1, "  received %" PRIu64 ", sent %" PRIu64
	    " bytes; breaks %" PRIu64 ", framing %" PRIu64 ", parity %" PRIu64
	    ", overrun %" PRIu64 "\n", i.received, i.sent, i.breaks,
	    i.frame_errors, i.parity_errors, i.overruns);
	if (st.healthy)
		answer_outf(a, 1, "  journal: %s, %" PRIu64 " bytes\n",
		    st.file, st.file_bytes);
	else
		answer_outf(a, 1, "  journal: NOT RECORDED NOW: %s\n",
		    st.problem);
	if (st.lost > 0)
		answer_outf(a, 1, "  journal: %" PRIu64 " bytes lost to "
		    "gaps\n", st.lost);
	witness_status(a, w);
}

static void
status_text(const struct answer *a)
{
	struct console *c = a->console;
	char now[STAMP_TEXT], up[SPAN_TEXT], seal[SEAL_TEXT];

	answer_outf(a, 1, "%s: oobd %s, %s, console process up for %s\n",
	    c->conf->name, OOBD_VERSION,
	    stamp_text(now, stamp_now().utc_us),
	    answer_span(up, mono_ms(c->started, mono_now())));
	for (size_t i = 0; i < sizeof(c->others) / sizeof(c->others[0]); i++) {
		const struct child_state *s = &c->others[i];

		if (s->role[0] == '\0')
			continue;
		answer_outf(a, 1, "process %s: %s, %" PRIu32 " restarts%s%s\n",
		    s->role, s->up ? "up" : "DOWN", s->restarts,
		    s->why[0] == '\0' ? "" : ", last ended by ", s->why);
	}
	infos_text(a);
	if (sealer_text(c, seal))
		answer_outf(a, 1, "journals: the newest seal is %s\n", seal);
	for (size_t i = 0; i < wires_count(c->wires); i++) {
		struct wire *w = wires_at(c->wires, i);

		if (guest_sees(a->guest, w))
			line_status(a, w);
	}
	answer_end(a, ST_OK);
}

void
answer_status(const struct answer *a)
{
	int json = answer_wants_json(a);

	if (json == 1)
		status_json(a);
	else if (json == 0)
		status_text(a);
}
