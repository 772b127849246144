#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "modem_dial.h"
#include "modem_drill_internal.h"
#include "modem_link_internal.h"

#define CLOCK_MS (60 * 1000)
#define SETTLE_MS (2 * 60 * 1000)	/* after our start: let the box come up */
#define APART_MS (12 * 3600 * 1000LL)	/* from one of the schedule to the next */
#define HOLD_MS (10 * 60 * 1000)
#define RELAY_FAILURES 3

struct schedule
modem_drill_schedule(const struct modem_drill *d)
{
	const struct config_activation *a = &d->m->conf->activation;

	return (struct schedule){ a->drill_day, a->drill_minute };
}

struct schedule_now
modem_drill_now(void)
{
	return (struct schedule_now){ stamp_now().utc_us / 1000000,
	    os_clock_synced() };
}

static void
show(struct modem_drill *d)
{
	char text[MODEM_DRILL_TEXT];

	feed_info(d->m->feed, "drill", modem_drill_text(d, text));
}

static int
save(struct modem_drill *d)
{
	return modem_drill_write(d->m->home, &d->record);
}

/* Beginning and end */

static void
tell_watchers(struct modem_drill *d, const char *text)
{
	for (size_t i = 0; i < d->nwatchers; i++)
		feed_toldf(d->m->feed, d->watchers[i], 1, "drill: %s\n", text);
}

static void
end_watchers(struct modem_drill *d, int status)
{
	for (size_t i = 0; i < d->nwatchers; i++)
		feed_done(d->m->feed, d->watchers[i], status);
	d->nwatchers = 0;
}

/* An event and words for those who wait; the record is written. */
static void
tell_end(struct modem_drill *d, const char *kind, const char *text)
{
	char quoted[MODEM_LINK_VALUE];

	log_info("drill: %s", text);
	modem_link_event(d->m->link, kind, "why=\"%s\"",
	    modem_link_value(quoted, text));
	tell_watchers(d, text);
	(void)save(d);
	show(d);
}

static void
end_good(struct modem_drill *d)
{
	char cost[MODEM_DRILL_COST];
	char *text;

	d->record.good = d->record.last;
	text = xasprintf("proven %s: %s", modem_drill_cost(&d->record.last,
	    cost), d->record.last.why);
	tell_end(d, "drill-done", text);
	free(text);
	end_watchers(d, ST_OK);
}

static void
end_bad(struct modem_drill *d)
{
	bool cut = d->record.how == DRILL_CUT;
	char *text = xasprintf("%s%s", cut ? "cut short: " : "",
	    d->record.last.why);

	tell_end(d, cut ? "drill-cut" : "drill-failed", text);
	free(text);
	end_watchers(d, ST_FAILED);
}

static uint64_t
cost_of(const struct modem_drill *d)
{
	struct modem_dial_look v;

	if (d->way != WAY_PPP)
		return d->bytes;
	modem_dial_view(d->m->dial, &v);
	return v.received + v.sent;
}

static void
on_over(void *arg, const struct drill_result *r)
{
	struct modem_drill *d = arg;
	struct modem_drill_run *last = &d->record.last;

	d->record.running = false;
	d->record.how = r->how;
	last->ms = r->ms;
	last->bytes = cost_of(d);
	snprintf(last->way, sizeof(last->way), "%s", modem_way_text(d->way));
	snprintf(last->why, sizeof(last->why), "%.120s%s", r->why,
	    r->taken ? "; the link stays, for others" : "");
	if (r->how == DRILL_GOOD)
		end_good(d);
	else
		end_bad(d);
}

static void
on_step(void *arg, const char *text)
{
	struct modem_drill *d = arg;

	log_debug("drill: %s", text);
	tell_watchers(d, text);
	show(d);
}

/* It is written before anything is done: a crash uses the slot up. */
static bool
begin(struct modem_drill *d, const char *who, int slot)
{
	struct modem_drill_record before = d->record;
	char quoted[MODEM_LINK_VALUE];

	d->record.running = true;
	memset(&d->record.last, 0, sizeof(d->record.last));
	d->record.last.at = modem_drill_now().utc;
	if (slot != 0)
		d->record.slot = slot;
	if (save(d) == -1) {
		d->record = before;
		return false;
	}
	d->bytes = 0;
	d->way = WAY_DOWN;
	modem_link_event(d->m->link, "drill-start", "who=\"%s\"",
	    modem_link_value(quoted, who));
	drill_start(d->drill);
	show(d);
	return true;
}

/* What the drill asks for */

static void
on_begin(void *arg)
{
	const struct modem_link_how how = { .force = false };
	struct modem_drill *d = arg;
	char why[MODEM_WHY];

	/* As any other it would be refused; the look that follows says so. */
	if (modem_link_refuses(d->m->link, false, why)[0] != '\0') {
		snprintf(d->failure, sizeof(d->failure), "%s", why);
		return;
	}
	d->failure[0] = '\0';
	modem_link_how(d->m->link, &how);
	(void)modem_link_up(d->m->link, HOLD_MS, MODEM_DRILL_WHO, "a drill");
}

static void
on_login(void *arg)
{
	struct modem_drill *d = arg;
	const struct modem_relay *r = modem_link_through(d->m->link);

	d->way = modem_way_now(d->m->link->way);
	d->login++;
	if (r != NULL)
		modem_way_drill(d->m->link->way, d->login, r->name);
}

static void
on_end(void *arg)
{
	struct modem_drill *d = arg;

	(void)modem_link_down(d->m->link, MODEM_DRILL_WHO);
}

/* Failed for good: as often as that, or in a way that time does not heal. */
static bool
has_failed(const struct modem_relay *r)
{
	static const char *const hopeless[] = { "host-key", "login",
	    "identity" };

	if (r == NULL || r->state != WAY_RELAY_FAILED)
		return false;
	for (size_t i = 0; i < sizeof(hopeless) / sizeof(hopeless[0]); i++) {
		if (strcmp(r->failure, hopeless[i]) == 0)
			return true;
	}
	return r->failed >= RELAY_FAILURES;
}

/* All relays that follow have: why the first of them did. */
static void
judge_relays(struct modem_drill *d)
{
	const struct config *conf = d->m->conf;
	const struct modem_relay *first = NULL, *r;

	for (size_t i = 0; i < conf->nrelays; i++) {
		if (conf->relays[i].always)
			continue;
		r = modem_way_relay(d->m->link->way, conf->relays[i].name);
		if (!has_failed(r))
			return;
		if (first == NULL)
			first = r;
	}
	if (first != NULL)
		snprintf(d->failure, sizeof(d->failure), "E-RELAY: %s: %s: "
		    "%.90s", first->name, first->failure, first->text);
}

static void
on_view(void *arg, struct drill_view *v)
{
	struct modem_drill *d = arg;
	struct linkstate_look s;

	modem_link_look(d->m->link, &s);
	v->link = s.at;
	/* Refused at the beginning. */
	v->why = s.at == LINKSTATE_IDLE && d->failure[0] != '\0' ?
	    d->failure : s.why;
	v->follow = modem_link_followers(d->m->link) > 0;
	v->through = modem_link_through(d->m->link) != NULL;
	if (s.at == LINKSTATE_RELAYING)
		judge_relays(d);
	v->failure = d->failure;
}

static const struct drill_ops drill_ops = {
	.view = on_view,
	.begin = on_begin,
	.login = on_login,
	.end = on_end,
	.step = on_step,
	.over = on_over,
};

/* The schedule */

static bool
link_is_idle(const struct modem_drill *d)
{
	struct linkstate_look s;

	modem_link_look(d->m->link, &s);
	return s.at == LINKSTATE_IDLE;
}

static void
wait_for_link(struct modem_drill *d, int slot)
{
	if (d->waits == slot)
		return;
	d->waits = slot;
	modem_link_event(d->m->link, "drill-wait", "why=\"the link is up, or "
	    "wanted, for others\"");
}

static void
on_clock(void *arg)
{
	const struct schedule_now now = modem_drill_now();
	struct modem_drill *d = arg;
	struct schedule s = modem_drill_schedule(d);
	int slot = schedule_due(&s, &now, d->record.slot);

	timer_set(d->clock, CLOCK_MS);
	show(d);
	if (slot == 0 || drill_at(d->drill) != DRILL_IDLE)
		return;
	/* However the clock jumps: no two at once. */
	if (d->began && mono_ms(d->began_at, mono_now()) < APART_MS)
		return;
	if (!link_is_idle(d)) {
		wait_for_link(d, slot);
		return;
	}
	d->began = begin(d, "schedule", slot);
	d->began_at = mono_now();
}

struct modem_drill *
modem_drill_new(struct modem *m)
{
	struct modem_drill *d = xcalloc(1, sizeof(*d));

	d->m = m;
	d->drill = drill_new(m->loop, &drill_ops, d);
	d->clock = timer_new(m->loop, on_clock, d);
	/* An answer to a predecessor is none to us. */
	os_random(&d->login, sizeof(d->login));
	return d;
}

void
modem_drill_free(struct modem_drill *d)
{
	drill_free(d->drill);
	timer_free(d->clock);
	free(d);
}

/* The process, or the box, went away during one. */
static void
end_interrupted(struct modem_drill *d)
{
	d->record.running = false;
	d->record.how = DRILL_FAILED;
	snprintf(d->record.last.why, sizeof(d->record.last.why), "E-CUT: "
	    "this process, or the whole box, ended during the drill");
	end_bad(d);
}

void
modem_drill_configure(struct modem_drill *d)
{
	if (!d->ready) {
		d->ready = true;
		modem_drill_read(d->m->home, &d->record);
		if (d->record.running)
			end_interrupted(d);
	}
	if (d->m->conf->activation.drill_minute < 0)
		timer_stop(d->clock);
	else if (!timer_is_set(d->clock))
		timer_set(d->clock, SETTLE_MS);
	show(d);
}

/* What others say */

void
modem_drill_changed(struct modem_drill *d)
{
	drill_changed(d->drill);
}

bool
modem_drill_has_link(const struct modem_drill *d)
{
	struct linkstate_look s;

	modem_link_look(d->m->link, &s);
	return strcmp(s.who, MODEM_DRILL_WHO) == 0;
}

bool
modem_drill_taken(struct modem_drill *d)
{
	bool was = modem_drill_has_link(d);

	drill_taken(d->drill);
	return was;
}

void
modem_drill_logged_in(struct modem_drill *d, uint32_t id, enum way_drill how,
    uint64_t bytes, const char *text)
{
	char *all;

	if (id != d->login)
		return;
	d->bytes = bytes;
	switch (how) {
	case WAY_DRILL_GOOD:
		drill_logged_in(d->drill, true, text);
		break;
	case WAY_DRILL_NOT_PERMITTED:
		all = xasprintf("the relay listens for us; no login through "
		    "it: %s", text);
		drill_logged_in(d->drill, true, all);
		free(all);
		break;
	case WAY_DRILL_FAILED:
		drill_logged_in(d->drill, false, text);
		break;
	}
}

static void
refuse(struct modem_drill *d, uint32_t task, const char *why)
{
	feed_toldf(d->m->feed, task, 2, "oobd: no drill now: %s\n", why);
	feed_done(d->m->feed, task, ST_FAILED);
}

void
modem_drill_run(struct modem_drill *d, const struct feed_task *t,
    const char *who)
{
	bool idle = drill_at(d->drill) == DRILL_IDLE;

	if (d->nwatchers == DRILL_WATCHERS) {
		refuse(d, t->id, "too many wait for one already");
		return;
	}
	if (idle && !link_is_idle(d)) {
		refuse(d, t->id, "the link is up, or wanted (link status)");
		return;
	}
	d->watchers[d->nwatchers++] = t->id;
	if (!idle)
		feed_toldf(d->m->feed, t->id, 1, "drill: one is under way: "
		    "%s\n", drill_step(d->drill));
	else if (!begin(d, who, 0)) {
		d->nwatchers--;
		refuse(d, t->id, "its file cannot be written");
	}
}

void
modem_drill_task_gone(struct modem_drill *d, uint32_t task)
{
	for (size_t i = 0; i < d->nwatchers; i++) {
		if (d->watchers[i] == task)
			d->watchers[i] = d->watchers[--d->nwatchers];
	}
}
