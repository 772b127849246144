/*
 * What brings the link's way up and lets it go: the modem, where there is
 * one; else, or where this system cannot do PPP, the uplink that is there
 * anyway.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "modem_drill.h"
#include "modem_link_internal.h"

#define GOODBYE_MS 500
#define LIFE_MARGIN_S 60	/* PPP's own deadline lies behind ours */

static void
set_existing(struct modem_link *m)
{
	const struct modem_way_is is = { .way = WAY_EXISTING };

	modem_way_set(m->way, &is);
}

void
modem_link_let_go(struct modem_link *m)
{
	const struct modem_way_is is = { .way = WAY_DOWN };

	modem_way_set(m->way, &is);
}

/* Until the hold is over, in which ever state it is. */
static uint32_t
life_s(const struct modem_link *m)
{
	struct linkstate_look s;
	int64_t ms;

	linkstate_look(m->state, &s);
	ms = s.was_up ? mono_ms(mono_now(), s.until) : s.hold_ms;
	return (ms > 0 ? (uint32_t)(ms / 1000) : 0) + LIFE_MARGIN_S;
}

void
modem_link_set_life(struct modem_link *m)
{
	modem_dial_life(m->m->dial, life_s(m));
}

bool
modem_link_start(void *arg)
{
	struct modem_link *m = arg;

	if (m->conf->modem == NULL || m->how.existing) {
		set_existing(m);
		return true;
	}
	/* The time to dial, and to prove, is not part of the hold. */
	modem_dial_start(m->m->dial, m->how.force, life_s(m) +
	    (uint32_t)((m->conf->modem->dial_ms +
	    m->conf->modem->prove_ms) / 1000));
	return false;
}

void
modem_link_on_goodbye(void *arg)
{
	struct modem_link *m = arg;

	modem_link_let_go(m);
	if (modem_dial_stop(m->m->dial))
		linkstate_closed(m->state);
}

/* Who came through a relay must see why it ends now. */
bool
modem_link_stop(void *arg)
{
	struct modem_link *m = arg;

	if (m->attached > 0 && modem_way_now(m->way) != WAY_DOWN) {
		timer_set(m->goodbye, GOODBYE_MS);
		return false;
	}
	modem_link_let_go(m);
	return modem_dial_stop(m->m->dial);
}

void
modem_link_prove(struct modem_link *m)
{
	const struct modem_relay *r;
	char why[MODEM_WHY];

	if (modem_way_now(m->way) != WAY_PPP)
		return;
	r = modem_link_through(m);
	if (r != NULL) {
		snprintf(why, sizeof(why), "relay %s answers", r->name);
		modem_dial_proven(m->m->dial, why, true);
	} else if (modem_link_followers(m) == 0) {
		modem_dial_proven(m->m->dial, "no relay follows the link",
		    false);
	}
}

/* What modem_dial says. */

static void
on_came(void *arg, enum linkstate_at at, const char *why)
{
	struct modem_link *m = arg;

	linkstate_came(m->state, at, why);
}

static void
on_prove(void *arg, const struct modem_dial_ppp *p)
{
	struct modem_link *m = arg;
	const struct modem_way_is is = { .way = WAY_PPP,
	    .interface = p->interface, .local = p->local, .dns = p->dns };

	modem_link_event(m, "link-ppp", "interface=%s address=%s peer=%s "
	    "dns=%s", p->interface, p->local, p->peer, p->dns);
	modem_way_set(m->way, &is);
	modem_link_prove(m);
}

static void
on_unproven(void *arg, char failure[32], char text[MODEM_WHY])
{
	struct modem_link *m = arg;
	const struct modem_relay *r;

	for (size_t i = 0; i < m->conf->nrelays; i++) {
		r = modem_way_relay(m->way, m->conf->relays[i].name);
		if (m->conf->relays[i].always || r == NULL ||
		    r->failure[0] == '\0')
			continue;
		snprintf(failure, 32, "%s", r->failure);
		snprintf(text, MODEM_WHY, "%s: %.100s", r->name, r->text);
		return;
	}
}

static void
on_up(void *arg, const char *why)
{
	struct modem_link *m = arg;

	modem_way_proven(m->way);
	linkstate_way_up(m->state, why);
	modem_link_set_life(m);
}

/* PPP cannot be had here: the uplink that there is must do. */
static void
fall_back(struct modem_link *m, const char *why)
{
	char *text = xasprintf("%s; over the existing uplink instead", why);

	log_warn("link: %s", text);
	memset(&m->failure, 0, sizeof(m->failure));
	modem_why_name(m->failure.name, why);
	snprintf(m->failure.text, sizeof(m->failure.text), "%s", why);
	m->failure.at = mono_now();
	if (!modem_drill_has_link(m->m->drill))
		feed_tell(m->feed, text);
	set_existing(m);
	linkstate_way_up(m->state, text);
	free(text);
}

static void
on_failed(void *arg, const char *why, bool hopeless)
{
	struct modem_link *m = arg;
	char name[MODEM_WHY_NAME];

	modem_link_let_go(m);
	modem_why_name(name, why);
	if (strcmp(name, "E-PPP") == 0)
		fall_back(m, why);
	else if (hopeless)
		(void)linkstate_down(m->state, why);
	else
		linkstate_way_failed(m->state, why);
}

static void
on_closed(void *arg)
{
	struct modem_link *m = arg;

	linkstate_closed(m->state);
}

static void
on_quota(void *arg, const char *text)
{
	struct modem_link *m = arg;
	char quoted[MODEM_LINK_VALUE], *line;

	modem_link_event(m, "link-quota", "why=\"%s\"",
	    modem_link_value(quoted, text));
	line = xasprintf("the link has used most of its data: %s", text);
	feed_tell(m->feed, line);
	free(line);
}

const struct modem_dial_ops modem_link_dial_ops = {
	.came = on_came,
	.prove = on_prove,
	.unproven = on_unproven,
	.up = on_up,
	.failed = on_failed,
	.closed = on_closed,
	.quota = on_quota,
};
