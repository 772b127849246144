#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/base/mem.h"
#include "modem_session.h"

#define DTR_MS 100		/* between looks at DTR */
#define PLUSES 3

enum session_state {
	SESSION_NONE,
	SESSION_DIALLING,
	SESSION_DATA,
	SESSION_ESCAPED,	/* in command mode, still connected */
};

struct session {
	struct stick *stick;
	struct at *at;		/* who dialled */
	enum session_state state;
	struct carrier *carrier;
	enum carrier_kind kind;	/* of the next one */
	unsigned context;
	struct timer *dial, *escape, *dtr;
	unsigned pluses;
	struct mono last;	/* byte from the caller */
	struct mono began, ended;
	bool stalled;
	uint64_t dials, connects, up, down, all_up, all_down;
};

static const char *const state_texts[] = {
	[SESSION_NONE] = "none",
	[SESSION_DIALLING] = "dialling",
	[SESSION_DATA] = "data",
	[SESSION_ESCAPED] = "escaped",
};

static void
change_state(struct session *s, enum session_state state)
{
	enum session_state old = s->state;

	s->state = state;
	timer_stop(s->dial);
	timer_stop(s->escape);
	timer_stop(s->dtr);
	s->pluses = 0;
	switch (state) {
	case SESSION_NONE:
		if (old == SESSION_DATA || old == SESSION_ESCAPED) {
			carrier_stop(s->carrier);
			s->ended = mono_now();
		}
		s->stick->active[s->context] = false;
		break;
	case SESSION_DIALLING:
		s->dials++;
		timer_set(s->dial, s->stick->conf->dial_ms);
		break;
	case SESSION_DATA:
		s->last = mono_now();
		timer_set(s->dtr, DTR_MS);
		carrier_more(s->carrier);
		break;
	case SESSION_ESCAPED:
		carrier_more(s->carrier);
		break;
	}
}

/* Why the network does not let us in, NULL when it does. */
static const char *
refusal(const struct session *s)
{
	const struct stick *k = s->stick;

	if (card_error(k->card) != 0)
		return "SIM not ready";
	if (!stick_registered(stick_ps(k)) || !k->attached)
		return "No packet service";
	if (k->conf->apn != NULL &&
	    strcmp(k->conf->apn, k->apn[s->context]) != 0)
		return "Requested service option not subscribed";
	return NULL;
}

static void
on_dial(void *arg)
{
	struct session *s = arg;
	const char *why = refusal(s);

	if (why == NULL && carrier_start(s->carrier, s->kind) == -1)
		why = "Network out of order";
	if (why != NULL) {
		snprintf(s->stick->cause, sizeof(s->stick->cause), "%s", why);
		session_drop(s);
		return;
	}
	s->connects++;
	s->up = s->down = 0;
	s->began = mono_now();
	s->stick->active[s->context] = true;
	change_state(s, SESSION_DATA);
	at_connect(s->at, at_settings(s->at)->x == 0 ? "CONNECT" :
	    s->stick->conf->who->huawei ? "CONNECT 7200000" :
	    "CONNECT 150000000");
}

int
session_dial(struct session *s, struct at *at, unsigned context)
{
	if (s->state != SESSION_NONE)
		return AT_ERROR;
	s->at = at;
	s->context = context;
	change_state(s, SESSION_DIALLING);
	return AT_LATER;
}

int
session_resume(struct session *s, struct at *at)
{
	if (s->state != SESSION_ESCAPED || at != s->at)
		return AT_NO_CARRIER;
	change_state(s, SESSION_DATA);
	at_connect(at, "CONNECT");
	return AT_LATER;
}

int
session_hangup(struct session *s)
{
	if (s->state == SESSION_ESCAPED)
		change_state(s, SESSION_NONE);
	return AT_OK;
}

void
session_drop(struct session *s)
{
	enum session_state old = s->state;

	if (old == SESSION_NONE)
		return;
	change_state(s, SESSION_NONE);
	if (old == SESSION_DIALLING)
		at_finish(s->at, AT_NO_CARRIER);
	else if (old == SESSION_DATA)
		at_back(s->at, AT_NO_CARRIER);
	else
		at_urc(s->at, "NO CARRIER", false);
}

void
session_gone(struct session *s)
{
	if (s->state != SESSION_NONE)
		change_state(s, SESSION_NONE);
}

bool
session_dialling(const struct session *s)
{
	return s->state == SESSION_DIALLING;
}

bool
session_is_up(const struct session *s)
{
	return s->state == SESSION_DATA || s->state == SESSION_ESCAPED;
}

static void
on_escape(void *arg)
{
	struct session *s = arg;

	change_state(s, SESSION_ESCAPED);
	at_back(s->at, AT_OK);
}

/* Three pluses with silence around them; they are sent on all the same. */
static void
look_for_escape(struct session *s, const uint8_t *p, size_t n)
{
	struct mono now = mono_now();
	int64_t guard = s->stick->conf->guard_ms;
	bool only = n <= PLUSES - s->pluses;

	for (size_t i = 0; i < n && only; i++)
		only = p[i] == '+';
	timer_stop(s->escape);
	if (only && (s->pluses > 0 || mono_ms(s->last, now) >= guard))
		s->pluses += (unsigned)n;
	else
		s->pluses = 0;
	if (s->pluses == PLUSES)
		timer_set(s->escape, guard);
	s->last = now;
}

void
session_input(struct session *s, const uint8_t *p, size_t n)
{
	if (s->state != SESSION_DATA)
		return;
	look_for_escape(s, p, n);
	s->up += n;
	s->all_up += n;
	if (!s->stalled)
		carrier_input(s->carrier, p, n);
}

void
session_more(struct session *s)
{
	carrier_more(s->carrier);
}

void
session_dtr_low(struct session *s)
{
	int what = s->at == NULL ? 0 : at_settings(s->at)->dtr;

	if (!session_is_up(s) || what == 0)
		return;
	if (what == 1 && s->state == SESSION_DATA)
		on_escape(s);
	else if (what == 2)
		session_drop(s);
}

static void
on_dtr(void *arg)
{
	struct session *s = arg;

	timer_set(s->dtr, DTR_MS);
	if (!port_dtr(stick_port(s->stick, STICK_DATA)))
		session_dtr_low(s);
}

static void
on_output(void *arg, const uint8_t *p, size_t n)
{
	struct session *s = arg;

	if (s->state != SESSION_DATA || s->stalled)
		return;
	s->down += n;
	s->all_down += n;
	at_raw(s->at, p, n);
}

static size_t
on_room(void *arg)
{
	const struct session *s = arg;

	/* In command mode a real stick lets the network wait, too. */
	if (s->state == SESSION_ESCAPED)
		return 0;
	return port_room(stick_port(s->stick, STICK_DATA));
}

static void
on_full(void *arg, bool full)
{
	struct session *s = arg;

	port_hold(stick_port(s->stick, STICK_DATA), full);
}

static void
on_ended(void *arg)
{
	session_drop(arg);
}

static const struct carrier_ops carrier_ops = {
	on_output,
	on_room,
	on_full,
	on_ended,
};

void
session_set_kind(struct session *s, enum carrier_kind kind)
{
	s->kind = kind;
}

void
session_stall(struct session *s, bool on)
{
	s->stalled = on;
}

void
session_stat(const struct session *s, struct session_stat *out)
{
	struct mono end = session_is_up(s) ? mono_now() : s->ended;

	out->state = state_texts[s->state];
	out->dials = s->dials;
	out->connects = s->connects;
	out->up = s->up;
	out->down = s->down;
	out->all_up = s->all_up;
	out->all_down = s->all_down;
	out->seconds = mono_ms(s->began, end) / 1000;
}

void
session_clear_stat(struct session *s)
{
	s->all_up = s->all_down = 0;
}

struct session *
session_new(struct stick *stick)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->stick = stick;
	s->carrier = carrier_new(stick->loop, stick->conf->carrier,
	    &carrier_ops, s);
	s->kind = stick->conf->carrier == NULL ? CARRIER_SILENT :
	    CARRIER_COMMAND;
	s->dial = timer_new(stick->loop, on_dial, s);
	s->escape = timer_new(stick->loop, on_escape, s);
	s->dtr = timer_new(stick->loop, on_dtr, s);
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	carrier_free(s->carrier);
	timer_free(s->dial);
	timer_free(s->escape);
	timer_free(s->dtr);
	free(s);
}
