#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"
#include "modem_drill.h"
#include "modem_link_internal.h"
#include "modem_uplink.h"
#include "told.h"

/* link status | up | down | extend; rights were checked (verbs.h). */

#define WHO_MAX 200
#define LATER (-2)		/* it is done when it is done */

struct call {
	struct modem_link *m;
	const struct feed_task *task;
	char who[WHO_MAX];		/* "alice (ssh)" */
};

#define SAY(c, ...) feed_toldf((c)->m->feed, (c)->task->id, 1, __VA_ARGS__)
#define COMPLAIN(c, ...) \
	feed_toldf((c)->m->feed, (c)->task->id, 2, __VA_ARGS__)

static int
usage(const struct call *c)
{
	return told_usage(c->m->feed, c->task);
}

/* status */

static double
left_s(const struct linkstate_look *s)
{
	int64_t ms = s->was_up ? mono_ms(mono_now(), s->until) : 0;

	return ms > 0 ? (double)ms / 1000 : 0;
}

static json_t *
time_json(struct mono at)
{
	char text[STAMP_TEXT];

	return json_string(stamp_text(text, modem_link_utc(at)));
}

static json_t *
relays_json(const struct modem_link *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->conf->nrelays; i++) {
		const struct config_relay *c = &m->conf->relays[i];
		const struct modem_relay *r = modem_way_relay(m->way, c->name);

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, "
		    "s:s}", "name", c->name,
		    "when", c->always ? "always" : "activated",
		    "state", r == NULL ? "unknown" :
		    modem_way_relay_text(r->state),
		    "failure", r == NULL ? "" : r->failure,
		    "text", r == NULL ? "" : r->text));
	}
	return list;
}

static int
status_json(const struct call *c)
{
	struct linkstate_look s;
	struct modem_dial_look d;
	json_t *o;

	linkstate_look(c->m->state, &s);
	modem_dial_view(c->m->m->dial, &d);
	o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:f, s:s, s:s, s:i, s:o, s:b, "
	    "s:o, s:i, s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:o}",
	    "state", linkstate_text(s.at),
	    "way", modem_way_text(modem_way_now(c->m->way)),
	    "since", time_json(s.since),
	    "until", s.was_up ? time_json(s.until) : json_null(),
	    "until_max", s.was_up ? time_json(s.until_max) : json_null(),
	    "left_s", left_s(&s), "reason", s.why, "who", s.who,
	    "tries", (int)s.tries,
	    "retry_at", s.retries ? time_json(s.retry_at) : json_null(),
	    "late", s.late,
	    "relays", relays_json(c->m), "attached", (int)c->m->attached,
	    "attached_by_relay", (int)c->m->by_relay,
	    "failure", c->m->failure.name, "failure_text",
	    c->m->failure.text, "interface", d.interface, "address", d.local,
	    "received", (json_int_t)d.received, "sent", (json_int_t)d.sent,
	    "uplink", modem_uplink_json(c->m->m->uplink),
	    "drill", modem_drill_json(c->m->m->drill));
	return told_json(c->m->feed, c->task->id, o);
}

static void
relay_line(const struct call *c, const struct config_relay *conf)
{
	const struct modem_relay *r = modem_way_relay(c->m->way, conf->name);
	const char *failure = r == NULL ? "" : r->failure;
	const char *text = r == NULL ? "" : r->text;

	SAY(c, "relay %s, %s: %s%s%s%s%s\n", conf->name,
	    conf->always ? "always" : "activated",
	    r == NULL ? "unknown" : modem_way_relay_text(r->state),
	    *failure != '\0' ? ", " : "", failure,
	    *text != '\0' ? "; " : "", text);
}

/* What the modem is at, and what went wrong last. */
static void
way_lines(const struct call *c)
{
	const struct modem_link_failure *f = modem_link_failed(c->m);
	struct modem_dial_look d;

	modem_dial_view(c->m->m->dial, &d);
	if (strcmp(d.state, "idle") != 0)
		SAY(c, "  modem: %s%s%s\n", d.state, *d.waits_for == '\0' ? "" :
		    " for it: ", d.waits_for);
	if (*d.interface != '\0')
		SAY(c, "  %s, %s, received %llu, sent %llu bytes%s\n",
		    d.interface, d.local, (unsigned long long)d.received,
		    (unsigned long long)d.sent, d.deaf ? "; no messages "
		    "until it is down" : "");
	if (f->name[0] != '\0')
		SAY(c, "  last failure %lld s ago: %s\n",
		    (long long)mono_ms(f->at, mono_now()) / 1000, f->text);
}

static int
status_text(const struct call *c)
{
	char text[MODEM_LINK_TEXT], when[MODEM_LINK_WHEN];
	char uplink[MODEM_UPLINK_TEXT], drill[MODEM_DRILL_TEXT];
	struct linkstate_look s;
	long long left;

	linkstate_look(c->m->state, &s);
	SAY(c, "link: %s\n", modem_link_text(c->m, text));
	SAY(c, "  since %s\n", modem_link_when(when, s.since));
	if (s.was_up) {
		left = (long long)left_s(&s);
		SAY(c, "  %02lld:%02lld:%02lld left; %s at most\n",
		    left / 3600, left / 60 % 60, left % 60,
		    modem_link_when(when, s.until_max));
	}
	way_lines(c);
	SAY(c, "  %u attached, %u of them through a relay\n", c->m->attached,
	    c->m->by_relay);
	for (size_t i = 0; i < c->m->conf->nrelays; i++)
		relay_line(c, &c->m->conf->relays[i]);
	if (modem_link_followers(c->m) == 0)
		SAY(c, "no relay follows the link (none has when = "
		    "\"activated\")\n");
	if (*modem_uplink_text(c->m->m->uplink, uplink) != '\0')
		SAY(c, "uplink: %s\n", uplink);
	if (*modem_drill_text(c->m->m->drill, drill) != '\0')
		SAY(c, "drill: %s\n", drill);
	return ST_OK;
}

static int
do_status(const struct call *c)
{
	const struct feed_task *t = c->task;

	if (t->argc == 2)
		return status_text(c);
	if (t->argc == 3 && strcmp(t->argv[2], "--json") == 0)
		return status_json(c);
	return usage(c);
}

/* The others */

/* False: told. */
static bool
duration(const struct call *c, const char *word, int64_t *ms)
{
	char safe[64];

	if (modem_link_duration(word, ms) == 0)
		return true;
	str_safe(safe, sizeof(safe), word, strlen(word));
	COMPLAIN(c, "oobd: %s is no duration: 90s, 30min, 4h, or a bare number "
	    "of minutes; 1 s to 30 days\n", safe);
	return false;
}

static int
tell_end(const struct call *c, enum linkstate_answer answer)
{
	char text[MODEM_LINK_TEXT];

	switch (answer) {
	case LINKSTATE_NOT_UP:
		COMPLAIN(c, "oobd: the link is not up (link up brings it "
		    "up)\n");
		return ST_DOWN;
	case LINKSTATE_AT_MOST:
		COMPLAIN(c, "oobd: max_hold is reached, it lasts no longer\n");
		return ST_FAILED;
	case LINKSTATE_CUT:
		COMPLAIN(c, "oobd: not for that long: max_hold is the most\n");
		break;
	case LINKSTATE_DONE:
		break;
	}
	SAY(c, "link: %s\n", modem_link_text(c->m, text));
	return ST_OK;
}

/* False: told. */
static bool
up_words(const struct call *c, int64_t *ms, struct modem_link_how *how)
{
	const struct feed_task *t = c->task;

	for (int i = 2; i < t->argc; i++) {
		if (strcmp(t->argv[i], "--force") == 0) {
			how->force = true;
		} else if (strcmp(t->argv[i], "--existing") == 0) {
			how->existing = true;
		} else if (*ms != 0) {
			usage(c);
			return false;
		} else if (!duration(c, t->argv[i], ms)) {
			return false;
		}
	}
	return true;
}

static int
do_up(const struct call *c)
{
	struct modem_link_how how = { .force = false };
	enum linkstate_answer answer;
	char why[MODEM_WHY];
	int64_t ms = 0;

	if (!up_words(c, &ms, &how))
		return ST_USAGE;
	if (!how.existing &&
	    modem_link_refuses(c->m, how.force, why)[0] != '\0') {
		COMPLAIN(c, "oobd: %s (link up --force does it anyway)\n",
		    why);
		return ST_FAILED;
	}
	modem_link_how(c->m, &how);
	answer = modem_link_up(c->m, ms, c->who, "asked for");
	if (modem_link_followers(c->m) == 0)
		COMPLAIN(c, "oobd: no relay has when = \"activated\": nothing "
		    "follows the link\n");
	/* It was up, and lasts as long as it may. */
	if (answer == LINKSTATE_AT_MOST)
		answer = LINKSTATE_CUT;
	return tell_end(c, answer);
}

static int
do_extend(const struct call *c)
{
	int64_t ms;

	if (c->task->argc != 3)
		return usage(c);
	if (!duration(c, c->task->argv[2], &ms))
		return ST_USAGE;
	return tell_end(c, modem_link_extend(c->m, ms, c->who));
}

static int
do_down(const struct call *c)
{
	if (c->task->argc != 2)
		return usage(c);
	if (modem_link_down(c->m, c->who) == LINKSTATE_NOT_UP)
		COMPLAIN(c, "oobd: the link is down already\n");
	else
		SAY(c, "link: going down\n");
	return ST_OK;
}

static int
do_drill(const struct call *c)
{
	if (c->task->argc != 2)
		return usage(c);
	modem_drill_run(c->m->m->drill, c->task, c->who);
	return LATER;
}

static const struct {
	const char *name;
	int (*run)(const struct call *);
} subs[] = {
	{ "status",	do_status },
	{ "up",		do_up },
	{ "extend",	do_extend },
	{ "down",	do_down },
	{ "drill",	do_drill },
};

void
modem_link_run(struct modem_link *m, const struct feed_task *t)
{
	struct call c = { .m = m, .task = t };
	int status = -1;

	snprintf(c.who, sizeof(c.who), "%s (%s)", t->user, t->via);
	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]) &&
	    t->argc > 1; i++) {
		if (strcmp(subs[i].name, t->argv[1]) == 0) {
			status = subs[i].run(&c);
			break;
		}
	}
	if (status != LATER)
		feed_done(m->feed, t->id, status == -1 ? usage(&c) : status);
}
