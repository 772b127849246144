#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "modem_drill.h"
#include "modem_link_internal.h"
#include "modem_saved.h"
#include "modem_sms.h"

#define WARN_MS (5 * 60 * 1000)
#define RELAY_MS (3 * 60 * 1000)
#define RETRY_MIN_MS (15 * 1000)
#define RETRY_MAX_MS (5 * 60 * 1000)
#define DURATION_MIN_MS 1000
#define DURATION_MAX_MS (30LL * 24 * 3600 * 1000)
#define VALUE_MAX MODEM_LINK_VALUE
#define REPORT_MS (60 * 1000)

int64_t
modem_link_utc(struct mono at)
{
	struct stamp now = stamp_now();

	return now.utc_us + mono_us(now.mono, at);
}

char *
modem_link_when(char dst[MODEM_LINK_WHEN], struct mono at)
{
	time_t t = (time_t)(modem_link_utc(at) / 1000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(dst, MODEM_LINK_WHEN, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return dst;
}

const char *
modem_link_over(const struct modem_link *m)
{
	switch (modem_way_now(m->way)) {
	case WAY_DOWN:
		break;
	case WAY_EXISTING:
		return " over the existing uplink";
	case WAY_PPP:
		return " over PPP";
	}
	return "";
}

int
modem_link_duration(const char *text, int64_t *ms)
{
	int64_t n;

	if (str_int(text, 1, DURATION_MAX_MS / 60000, &n) == 0) {
		*ms = n * 60000;
		return 0;
	}
	/* Digits alone are minutes, whatever str_duration takes them for. */
	if (strspn(text, "0123456789") == strlen(text) ||
	    str_duration(text, &n) == -1 || n < DURATION_MIN_MS ||
	    n > DURATION_MAX_MS)
		return -1;
	*ms = n;
	return 0;
}

/* Saying it: events, status, notices. */

void
modem_link_event(struct modem_link *m, const char *kind, const char *fmt, ...)
{
	char text[FEED_EVENT_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	feed_event(m->feed, kind, text);
}

const char *
modem_link_value(char dst[VALUE_MAX], const char *text)
{
	snprintf(dst, VALUE_MAX, "%s", text);
	for (char *p = dst; *p != '\0'; p++) {
		if (*p == '"')
			*p = '\'';
	}
	return dst;
}

char *
modem_link_text(const struct modem_link *m, char dst[MODEM_LINK_TEXT])
{
	char when[MODEM_LINK_WHEN];
	struct linkstate_look s;

	linkstate_look(m->state, &s);
	if (s.retries)
		snprintf(dst, MODEM_LINK_TEXT, "%s, next try %s, asked for by "
		    "%s: %s", linkstate_text(s.at),
		    modem_link_when(when, s.retry_at), s.who, s.why);
	else if (s.was_up)
		snprintf(dst, MODEM_LINK_TEXT, "%s%s until %s, asked for by "
		    "%s: %s", linkstate_text(s.at), modem_link_over(m),
		    modem_link_when(when, s.until), s.who, s.why);
	else
		snprintf(dst, MODEM_LINK_TEXT, "%s%s%s%s%s",
		    linkstate_text(s.at), *s.who != '\0' ? ", asked for by " :
		    "", s.who, *s.why != '\0' ? ": " : "", s.why);
	return dst;
}

static void
show(struct modem_link *m)
{
	char text[MODEM_LINK_TEXT];

	feed_info(m->feed, "link", modem_link_text(m, text));
}

static bool
is_same(const struct linkstate_saved *a, const struct linkstate_saved *b)
{
	return strcmp(a->who, b->who) == 0 && a->hold_ms == b->hold_ms &&
	    a->was_up == b->was_up && a->until.us == b->until.us &&
	    a->first_up.us == b->first_up.us;
}

/* Each write is synced: not for nothing. */
static void
save(struct modem_link *m)
{
	struct linkstate_saved s;
	bool going = linkstate_save(m->state, &s);

	if (!going)
		memset(&s, 0, sizeof(s));
	if (is_same(&s, &m->saved))
		return;
	m->saved = s;
	modem_saved_write(m->m->home, going ? &s : NULL);
}

unsigned
modem_link_followers(const struct modem_link *m)
{
	unsigned n = 0;

	for (size_t i = 0; m->conf != NULL && i < m->conf->nrelays; i++)
		n += m->conf->relays[i].always ? 0 : 1;
	return n;
}

static bool
is_through(const struct modem_relay *r)
{
	return r != NULL && (r->state == WAY_RELAY_FORWARDED ||
	    r->state == WAY_RELAY_PROVEN);
}

const struct modem_relay *
modem_link_through(const struct modem_link *m)
{
	const struct modem_relay *r;

	for (size_t i = 0; m->conf != NULL && i < m->conf->nrelays; i++) {
		r = modem_way_relay(m->way, m->conf->relays[i].name);
		if (!m->conf->relays[i].always && is_through(r))
			return r;
	}
	return NULL;
}

char *
modem_link_relay(const struct modem_link *m, char *dst, size_t size)
{
	const struct modem_relay *r = modem_link_through(m);

	for (size_t i = 0; r == NULL && m->conf != NULL &&
	    i < m->conf->nrelays; i++) {
		if (!m->conf->relays[i].always)
			r = modem_way_relay(m->way,
			    m->conf->relays[i].name);
	}
	snprintf(dst, size, "%s%s%s", r == NULL ? "" : r->name,
	    r == NULL ? "" : " ",
	    r == NULL ? "" : modem_way_relay_text(r->state));
	return dst;
}

static void
on_relays(void *arg)
{
	struct modem_link *m = arg;

	linkstate_relays(m->state, modem_link_followers(m),
	    modem_link_through(m) != NULL);
	modem_link_prove(m);
	modem_drill_changed(m->m->drill);
}

/* What linkstate asks for, and tells. */

static bool
on_report(void *arg, const char *why)
{
	struct modem_link *m = arg;
	struct modem_dial_look v;

	/* What came of a drill is told by its own event, if at all. */
	if (modem_drill_has_link(m->m->drill))
		return true;
	modem_dial_view(m->m->dial, &v);
	if (modem_sms_report(m->m->sms, why, v.received, v.sent))
		return true;
	timer_set(m->report, REPORT_MS);
	return false;
}

static void
on_report_late(void *arg)
{
	modem_link_reported(arg);
}

static bool
is_drill(const struct modem_link *m)
{
	return modem_drill_has_link(m->m->drill);
}

/* Of a drill's nobody knows, but who came by it. */
static void
tell_down(struct modem_link *m, const char *why)
{
	char *text;

	if (is_drill(m) && m->by_relay == 0)
		return;
	text = xasprintf("the link is down: %s", why);
	feed_tell(m->feed, text);
	free(text);
}

/* Each change stands in the journals, once. */
static void
journal(struct modem_link *m, const struct linkstate_look *s,
    enum linkstate_at from)
{
	char who[VALUE_MAX], why[VALUE_MAX], when[STAMP_TEXT];

	modem_link_value(who, s->who);
	modem_link_value(why, s->why);
	if (s->at == LINKSTATE_RELAYING && from != LINKSTATE_UP)
		modem_link_event(m, "link-up", "who=\"%s\" way=%s until=%s why=\"%s\"",
		    who, modem_way_text(modem_way_now(m->way)),
		    stamp_text(when, modem_link_utc(s->until)), why);
	else if (s->at == LINKSTATE_CLOSING)
		modem_link_event(m, "link-down", "who=\"%s\" why=\"%s\"", who, why);
	else
		modem_link_event(m, "link-state", "state=%s from=%s%s why=\"%s\"",
		    linkstate_text(s->at), linkstate_text(from),
		    is_drill(m) ? " drill=yes" : "", why);
}

/* The last failure is worth remembering until another activation begins. */
static void
note_failure(struct modem_link *m, const struct linkstate_look *s,
    enum linkstate_at from)
{
	char name[MODEM_WHY_NAME];

	modem_why_name(name, s->why);
	if (name[0] != '\0' && strcmp(s->why, m->failure.text) != 0) {
		memcpy(m->failure.name, name, sizeof(name));
		snprintf(m->failure.text, sizeof(m->failure.text), "%s",
		    s->why);
		m->failure.at = mono_now();
	} else if (from == LINKSTATE_IDLE) {
		memset(&m->failure, 0, sizeof(m->failure));
	}
}

static void
on_changed(void *arg, enum linkstate_at from)
{
	struct modem_link *m = arg;
	struct linkstate_look s;

	linkstate_look(m->state, &s);
	log_debug("link: %s to %s: %s", linkstate_text(from),
	    linkstate_text(s.at), s.why);
	note_failure(m, &s, from);
	journal(m, &s, from);
	if (s.at == LINKSTATE_CLOSING)
		tell_down(m, s.why);
	if (s.at == LINKSTATE_FAILED)
		modem_link_let_go(m);
	if (s.at == LINKSTATE_IDLE) {
		memset(&m->how, 0, sizeof(m->how));
		modem_dial_forget(m->m->dial);
	}
	show(m);
	save(m);
	modem_sms_link(m->m->sms, from);
	modem_drill_changed(m->m->drill);
}

static void
on_warn(void *arg, int64_t left_ms)
{
	struct modem_link *m = arg;
	char when[MODEM_LINK_WHEN], stamp[STAMP_TEXT], most[MODEM_LINK_WHEN];
	struct linkstate_look s;
	char *text;

	linkstate_look(m->state, &s);
	modem_link_event(m, "link-warning", "left_s=%lld until=%s",
	    (long long)(left_ms + 500) / 1000,
	    stamp_text(stamp, modem_link_utc(s.until)));
	modem_link_when(when, s.until);
	if (mono_ms(s.until, s.until_max) <= 0)
		text = xasprintf("the link goes down in %lld s, at %s: "
		    "max_hold is over then", (long long)(left_ms + 500) / 1000,
		    when);
	else
		text = xasprintf("the link is held for %lld s more, until %s, "
		    "and longer while someone is attached, until %s at most",
		    (long long)(left_ms + 500) / 1000, when,
		    modem_link_when(most, s.until_max));
	feed_tell(m->feed, text);
	free(text);
}

static void
on_extended(void *arg, const char *who, int64_t by_ms)
{
	struct modem_link *m = arg;
	char quoted[VALUE_MAX], when[STAMP_TEXT];
	struct linkstate_look s;

	linkstate_look(m->state, &s);
	modem_link_event(m, "link-extend", "who=\"%s\" by_s=%lld until=%s why=\"%s\"",
	    modem_link_value(quoted, who == NULL ? "oobd" : who),
	    (long long)(by_ms + 500) / 1000,
	    stamp_text(when, modem_link_utc(s.until)),
	    who == NULL ? "someone is attached" : "asked for");
	show(m);
	save(m);
	modem_link_set_life(m);
}

static void
on_late(void *arg)
{
	struct modem_link *m = arg;
	struct linkstate_look s;
	char why[VALUE_MAX];

	linkstate_look(m->state, &s);
	modem_link_event(m, "link-late", "state=%s%s why=\"%s\"",
	    linkstate_text(s.at), is_drill(m) ? " drill=yes" : "",
	    modem_link_value(why, s.why));
	log_warn("link: %s", s.why);
	show(m);
}

static void
on_route(void *arg, const char *address)
{
	struct modem_link *m = arg;

	modem_dial_route(m->m->dial, address);
}

static void
on_drilled(void *arg, uint32_t id, enum way_drill how, uint64_t bytes,
    const char *text)
{
	struct modem_link *m = arg;

	modem_drill_logged_in(m->m->drill, id, how, bytes, text);
}

static const struct modem_way_ops way_ops = {
	.changed = on_relays,
	.route = on_route,
	.drilled = on_drilled,
};

static const struct linkstate_ops state_ops = {
	.start = modem_link_start,
	.stop = modem_link_stop,
	.report = on_report,
	.changed = on_changed,
	.warn = on_warn,
	.extended = on_extended,
	.late = on_late,
};

struct modem_link *
modem_link_new(struct modem *modem)
{
	/* Until the configuration comes nobody can ask for anything. */
	const struct linkstate_conf none = { .warn_ms = WARN_MS };
	struct modem_link *m = xcalloc(1, sizeof(*m));

	m->m = modem;
	m->loop = modem->loop;
	m->feed = modem->feed;
	m->goodbye = timer_new(m->loop, modem_link_on_goodbye, m);
	m->report = timer_new(m->loop, on_report_late, m);
	m->state = linkstate_new(m->loop, &none, &state_ops, m);
	m->way = modem_way_new(m->loop, &way_ops, m);
	show(m);
	return m;
}

void
modem_link_free(struct modem_link *m)
{
	linkstate_free(m->state);
	modem_way_free(m->way);
	timer_free(m->goodbye);
	timer_free(m->report);
	free(m);
}

static void
resume(struct modem_link *m)
{
	struct linkstate_saved s;

	/* A drill does not outlive the process that made it. */
	if (modem_saved_read(m->m->home, &s) &&
	    strcmp(s.who, MODEM_DRILL_WHO) != 0)
		(void)linkstate_resume(m->state, &s);
	/* What was not fit to go on with. */
	if (m->saved.hold_ms == 0)
		modem_saved_write(m->m->home, NULL);
}

void
modem_link_configure(struct modem_link *m)
{
	const struct config *conf = m->m->conf;
	const struct config_activation *a = &conf->activation;
	const struct linkstate_conf c = {
		.hold_ms = a->hold_ms,
		.max_hold_ms = a->max_hold_ms,
		.warn_ms = WARN_MS,
		.relay_ms = RELAY_MS,
		.retry_min_ms = RETRY_MIN_MS,
		.retry_max_ms = RETRY_MAX_MS,
		.tries = a->tries,
	};
	bool first = m->conf == NULL;

	m->conf = conf;
	linkstate_configure(m->state, &c);
	on_relays(m);
	if (first)
		resume(m);
}

void
modem_link_peer(struct modem_link *m, int fd)
{
	modem_way_link(m->way, fd);
}

void
modem_link_notify(struct modem_link *m, int fd, modem_way_sms_fn *sms,
    void *arg)
{
	modem_way_notify(m->way, fd, sms, arg);
}

void
modem_link_attached(struct modem_link *m, unsigned all, unsigned by_relay)
{
	m->attached = all;
	m->by_relay = by_relay;
	linkstate_attached(m->state, all);
}

/* Whoever else asks for something has it from now on. */
static void
take_from_drill(struct modem_link *m, const char *who)
{
	if (strcmp(who, MODEM_DRILL_WHO) != 0 &&
	    modem_drill_taken(m->m->drill))
		linkstate_hand_over(m->state, who);
}

enum linkstate_answer
modem_link_up(struct modem_link *m, int64_t ms, const char *who,
    const char *why)
{
	enum linkstate_answer answer;

	take_from_drill(m, who);
	answer = linkstate_up(m->state, ms, who, why);
	show(m);
	save(m);
	return answer;
}

enum linkstate_answer
modem_link_extend(struct modem_link *m, int64_t ms, const char *who)
{
	enum linkstate_answer answer;

	take_from_drill(m, who);
	answer = linkstate_extend(m->state, ms, who);
	save(m);
	return answer;
}

enum linkstate_answer
modem_link_down(struct modem_link *m, const char *who)
{
	char *why = xasprintf("%s asked for it", who);
	enum linkstate_answer answer;

	take_from_drill(m, who);
	answer = linkstate_down(m->state, why);
	free(why);
	return answer;
}

void
modem_link_how(struct modem_link *m, const struct modem_link_how *how)
{
	m->how = *how;
}

char *
modem_link_refuses(struct modem_link *m, bool force, char why[MODEM_WHY])
{
	return modem_dial_refuses(m->m->dial, force, why);
}

void
modem_link_look(const struct modem_link *m, struct linkstate_look *look)
{
	linkstate_look(m->state, look);
}

void
modem_link_reported(struct modem_link *m)
{
	timer_stop(m->report);
	linkstate_reported(m->state);
}

const struct modem_link_failure *
modem_link_failed(const struct modem_link *m)
{
	return &m->failure;
}
