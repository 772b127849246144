#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "drill.h"

struct drill {
	const struct drill_ops *ops;
	void *arg;
	enum drill_at at;
	struct mono began;
	struct timer *soon;		/* look */
	struct timer *limit;		/* of the state */
	struct timer *relay;		/* the way is there, no relay is */
	bool taken;
	enum drill_how how;
	char why[DRILL_WHY], step[DRILL_WHY];
};

static void
change_state(struct drill *d, enum drill_at to)
{
	d->at = to;
	timer_stop(d->relay);
	switch (to) {
	case DRILL_IDLE:
		timer_stop(d->soon);
		timer_stop(d->limit);
		d->step[0] = '\0';
		break;
	case DRILL_COMING:
		timer_set(d->limit, DRILL_MS);
		break;
	case DRILL_LOGIN:
		timer_set(d->limit, DRILL_LOGIN_MS);
		break;
	case DRILL_LEAVING:
		timer_set(d->limit, DRILL_LEAVE_MS);
		break;
	}
}

static void
say(struct drill *d, const char *text)
{
	if (strcmp(d->step, text) == 0)
		return;
	snprintf(d->step, sizeof(d->step), "%s", text);
	d->ops->step(d->arg, d->step);
}

static void
finish(struct drill *d)
{
	struct drill_result r = { .how = d->how, .why = d->why,
	    .ms = mono_ms(d->began, mono_now()), .taken = d->taken };

	change_state(d, DRILL_IDLE);
	d->ops->over(d->arg, &r);
}

/* It is known how it went: nothing is left but to go. */
static void
leave(struct drill *d, enum drill_how how, const char *why)
{
	d->how = how;
	snprintf(d->why, sizeof(d->why), "%s", why);
	change_state(d, DRILL_LEAVING);
	say(d, how == DRILL_GOOD ? "logged in; going down" :
	    "that was it; going down");
	if (!d->taken)
		d->ops->end(d->arg);
	timer_set(d->soon, 0);
}

/* The link is gone, or was never there. */
static void
lost(struct drill *d, const struct drill_view *v)
{
	/* Who asked for it to end is no fault of the way. */
	bool cut = d->taken && strncmp(v->why, "E-", 2) != 0;

	leave(d, cut ? DRILL_CUT : DRILL_FAILED, v->why);
}

static void
look_for_way(struct drill *d, const struct drill_view *v)
{
	char text[DRILL_WHY];

	switch (v->link) {
	case LINKSTATE_IDLE:
	case LINKSTATE_CLOSING:
	case LINKSTATE_REPORTING:
		lost(d, v);
		break;
	case LINKSTATE_DIALLING:
	case LINKSTATE_NEGOTIATING:
	case LINKSTATE_PROVING:
	case LINKSTATE_FAILED:
		timer_stop(d->relay);
		snprintf(text, sizeof(text), "%s: %.150s",
		    linkstate_text(v->link), v->why);
		say(d, text);
		break;
	case LINKSTATE_RELAYING:
		say(d, "there is a way; waiting for a relay");
		if (v->failure[0] != '\0')
			leave(d, DRILL_FAILED, v->failure);
		else if (!timer_is_set(d->relay))
			timer_set(d->relay, DRILL_RELAY_MS);
		break;
	case LINKSTATE_UP:
		if (!v->follow) {
			leave(d, DRILL_FAILED, "E-RELAY: there is a way, but "
			    "no relay that follows the link (when = "
			    "\"activated\") to log in through");
			break;
		}
		change_state(d, DRILL_LOGIN);
		say(d, "a relay is through; logging in");
		d->ops->login(d->arg);
		break;
	}
}

static void
on_soon(void *arg)
{
	struct drill *d = arg;
	struct drill_view v;

	d->ops->view(d->arg, &v);
	switch (d->at) {
	case DRILL_IDLE:
		break;
	case DRILL_COMING:
		look_for_way(d, &v);
		break;
	case DRILL_LOGIN:
		if (v.link != LINKSTATE_UP && v.link != LINKSTATE_RELAYING)
			lost(d, &v);
		else if (!v.through)
			leave(d, DRILL_FAILED, "E-RELAY: the relay was lost "
			    "during the login");
		break;
	case DRILL_LEAVING:
		if (d->taken || v.link == LINKSTATE_IDLE)
			finish(d);
		break;
	}
}

static void
on_limit(void *arg)
{
	struct drill *d = arg;

	switch (d->at) {
	case DRILL_IDLE:
		break;
	case DRILL_COMING:
		leave(d, DRILL_FAILED, "E-LATE: no way within 15 minutes");
		break;
	case DRILL_LOGIN:
		leave(d, DRILL_FAILED, "E-LOGIN: no end of the login");
		break;
	case DRILL_LEAVING:
		d->how = DRILL_FAILED;
		snprintf(d->why, sizeof(d->why), "E-DOWN: the link does not "
		    "go down");
		finish(d);
		break;
	}
}

static void
on_relay(void *arg)
{
	struct drill *d = arg;

	if (d->at == DRILL_COMING)
		leave(d, DRILL_FAILED, "E-RELAY: there is a way, but no "
		    "relay gets through");
}

struct drill *
drill_new(struct loop *loop, const struct drill_ops *ops, void *arg)
{
	struct drill *d = xcalloc(1, sizeof(*d));

	d->ops = ops;
	d->arg = arg;
	d->soon = timer_new(loop, on_soon, d);
	d->limit = timer_new(loop, on_limit, d);
	d->relay = timer_new(loop, on_relay, d);
	return d;
}

void
drill_free(struct drill *d)
{
	if (d == NULL)
		return;
	timer_free(d->soon);
	timer_free(d->limit);
	timer_free(d->relay);
	free(d);
}

void
drill_start(struct drill *d)
{
	d->taken = false;
	d->began = mono_now();
	change_state(d, DRILL_COMING);
	say(d, "asking for the link");
	d->ops->begin(d->arg);
	timer_set(d->soon, 0);
}

void
drill_changed(struct drill *d)
{
	if (d->at != DRILL_IDLE)
		timer_set(d->soon, 0);
}

void
drill_logged_in(struct drill *d, bool good, const char *why)
{
	char text[DRILL_WHY];

	if (d->at != DRILL_LOGIN)
		return;
	snprintf(text, sizeof(text), "%s%.180s", good ? "" : "E-LOGIN: ",
	    why);
	leave(d, good ? DRILL_GOOD : DRILL_FAILED, text);
}

void
drill_taken(struct drill *d)
{
	if (d->at == DRILL_IDLE)
		return;
	d->taken = true;
	timer_set(d->soon, 0);
}

enum drill_at
drill_at(const struct drill *d)
{
	return d->at;
}

const char *
drill_step(const struct drill *d)
{
	return d->step;
}
