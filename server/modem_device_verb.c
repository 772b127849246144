/*
 * modem status | reset | retry-pin | modem-only; rights were checked (verbs.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "modem_device_internal.h"
#include "modem_dial.h"
#include "modem_why.h"
#include "told.h"

#define MODEM_ONLY_MS 10000
#define LATER (-1)		/* of a sub-verb: it says itself when it is done */

struct call {
	struct modem_device *d;
	const struct feed_task *task;
};

#define SAY(c, ...) \
	feed_toldf((c)->d->m->feed, (c)->task->id, 1, __VA_ARGS__)
#define COMPLAIN(c, ...) \
	feed_toldf((c)->d->m->feed, (c)->task->id, 2, __VA_ARGS__)

static int
usage(const struct call *c)
{
	return told_usage(c->d->m->feed, c->task);
}

/* All but the last four digits: enough to tell one from another. */
static const char *
masked(char dst[32], const char *number)
{
	size_t n = strlen(number);

	snprintf(dst, 32, "%s", number);
	for (size_t i = 0; i + 4 < n && i < 31; i++)
		dst[i] = '*';
	return dst;
}

static const char *
safe(char dst[128], const char *text)
{
	return str_safe(dst, 128, text, strlen(text));
}

static long long
since_s(struct mono at)
{
	return (long long)(mono_ms(at, mono_now()) / 1000);
}

/* status */

static void
say_identity(const struct call *c, const struct device_status *s)
{
	char a[128], b[128], f[128], imei[32], sim[32];

	if (s->model[0] == '\0')
		return;
	SAY(c, "  %s %s, firmware %s, %s\n", safe(a, s->maker),
	    safe(b, s->model), safe(f, s->firmware), s->quirk->name);
	SAY(c, "  IMEI %s, SIM %s\n", s->imei[0] == '\0' ? "unknown" :
	    masked(imei, s->imei), s->iccid[0] == '\0' ? "unknown" :
	    masked(sim, s->iccid));
}

static void
say_radio(const struct call *c, const struct device_status *s)
{
	int dbm = modem_why_dbm(s->rssi);

	SAY(c, "  messages: %s, data: %s%s, operator %s\n",
	    device_reg_text(s->cs), device_reg_text(s->ps),
	    s->roaming ? ", roaming" : "",
	    s->oper[0] == '\0' ? "unknown" : s->oper);
	if (dbm == 0)
		SAY(c, "  signal: unknown\n");
	else
		SAY(c, "  signal: %d dBm\n", dbm);
}

static void
say_ports(const struct call *c, const struct device_status *s)
{
	if (s->data[0] == '\0')
		return;
	if (s->two_ports)
		SAY(c, "  data port %s%s, control port %s\n", s->data,
		    s->lent ? " (carries PPP)" : "", s->control);
	else
		SAY(c, "  data port %s%s, the only one: no messages while the "
		    "link is up\n", s->data, s->lent ? " (carries PPP)" : "");
}

static void
say_repairs(const struct call *c)
{
	struct modem_device *d = c->d;
	char budget[MODEM_DIAL_BUDGET];

	SAY(c, "  lost %u times; repairs:", device_status(d->device)->lost);
	for (int i = 0; i < LADDER_STEPS; i++)
		SAY(c, "%s %s %u", i == 0 ? "" : ",",
		    ladder_text((enum ladder_step)i),
		    device_repairs(d->device, (enum ladder_step)i));
	SAY(c, "\n");
	if (d->problem[0] != '\0')
		SAY(c, "  last problem %lld s ago: %s\n",
		    since_s(d->problem_at), d->problem);
	if (modem_dial_budget(d->m->dial, budget)[0] != '\0')
		SAY(c, "  data: %s\n", budget);
}

static int
status_text(const struct call *c)
{
	const struct device_status *s = device_status(c->d->device);
	char text[MODEM_DEVICE_TEXT];

	SAY(c, "modem: %s\n", modem_device_text(c->d, text));
	SAY(c, "  for %lld s", since_s(s->since));
	if (s->heard.us != 0)
		SAY(c, ", last heard %lld s ago", since_s(s->heard));
	SAY(c, "\n");
	say_identity(c, s);
	say_radio(c, s);
	if (s->pin_tries != -1)
		SAY(c, "  PIN: %d attempts left\n", s->pin_tries);
	say_ports(c, s);
	say_repairs(c);
	return ST_OK;
}

static json_t *
repairs_json(const struct device *d)
{
	static const char *const keys[LADDER_STEPS] = {
		[LADDER_RESYNC] = "resync",
		[LADDER_REOPEN] = "reopen",
		[LADDER_CFUN] = "radio",
		[LADDER_RESET] = "restart",
		[LADDER_USB] = "usb",
		[LADDER_POWER] = "power",
	};
	json_t *o = json_object();

	for (int i = 0; i < LADDER_STEPS; i++)
		json_object_set_new(o, keys[i],
		    json_integer(device_repairs(d, (enum ladder_step)i)));
	return o;
}

static json_t *
text_json(const char *text)
{
	char copy[DEVICE_PATH];

	return json_string(str_safe(copy, sizeof(copy), text, strlen(text)));
}

static void
put_identity(json_t *o, const struct device_status *s)
{
	char copy[32];

	json_object_set_new(o, "manufacturer", text_json(s->maker));
	json_object_set_new(o, "model", text_json(s->model));
	json_object_set_new(o, "firmware", text_json(s->firmware));
	json_object_set_new(o, "imei", text_json(masked(copy, s->imei)));
	json_object_set_new(o, "sim", text_json(masked(copy, s->iccid)));
	json_object_set_new(o, "quirks", text_json(s->quirk->name));
}

static void
put_radio(json_t *o, const struct device_status *s)
{
	int dbm = modem_why_dbm(s->rssi);

	json_object_set_new(o, "registration",
	    text_json(device_reg_text(s->cs)));
	json_object_set_new(o, "data_registration",
	    text_json(device_reg_text(s->ps)));
	json_object_set_new(o, "roaming", json_boolean(s->roaming));
	json_object_set_new(o, "operator", text_json(s->oper));
	json_object_set_new(o, "signal_dbm", dbm == 0 ? json_null() :
	    json_integer(dbm));
	json_object_set_new(o, "pin_tries", s->pin_tries == -1 ? json_null() :
	    json_integer(s->pin_tries));
}

static int
status_json(const struct call *c)
{
	struct modem_device *d = c->d;
	const struct device_status *s = device_status(d->device);
	char budget[MODEM_DIAL_BUDGET];
	json_t *o = json_object();

	json_object_set_new(o, "state", text_json(device_state_text(s->state)));
	json_object_set_new(o, "reason", text_json(s->why));
	json_object_set_new(o, "since_s", json_integer(since_s(s->since)));
	put_identity(o, s);
	put_radio(o, s);
	json_object_set_new(o, "data_port", text_json(s->data));
	json_object_set_new(o, "control_port", text_json(s->two_ports ?
	    s->control : ""));
	json_object_set_new(o, "carries_ppp", json_boolean(s->lent));
	json_object_set_new(o, "lost", json_integer(s->lost));
	json_object_set_new(o, "repairs", repairs_json(d->device));
	json_object_set_new(o, "problem", text_json(d->problem));
	json_object_set_new(o, "budget", text_json(
	    modem_dial_budget(d->m->dial, budget)));
	return told_json(d->m->feed, c->task->id, o);
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

static void
tell_journal(const struct call *c, const char *what)
{
	char text[FEED_EVENT_MAX + 1];

	snprintf(text, sizeof(text), "who=\"%.100s (%.100s)\" what=\"%s\"",
	    c->task->user, c->task->via, what);
	feed_event(c->d->m->feed, "modem-order", text);
}

static int
do_reset(const struct call *c)
{
	const struct device_status *s = device_status(c->d->device);
	bool open = s->state != DEVICE_ABSENT && s->state != DEVICE_OFF &&
	    s->state != DEVICE_REPAIRING;

	if (c->task->argc != 2)
		return usage(c);
	if (s->lent) {
		COMPLAIN(c, "oobd: the link is up over it: link down "
		    "first\n");
		return ST_FAILED;
	}
	tell_journal(c, "reset");
	/* Where no command reaches it, harder means are left. */
	device_repair(c->d->device, open ? LADDER_RESET :
	    c->d->m->conf->modem->power_hook != NULL ? LADDER_POWER :
	    LADDER_REOPEN);
	SAY(c, "modem: it is restarted\n");
	return ST_OK;
}

static int
do_retry_pin(const struct call *c)
{
	if (c->task->argc != 2)
		return usage(c);
	if (device_status(c->d->device)->state != DEVICE_BLOCKED) {
		COMPLAIN(c, "oobd: the modem waits for no PIN (modem "
		    "status)\n");
		return ST_FAILED;
	}
	tell_journal(c, "retry-pin");
	modem_device_read_pin(c->d);
	device_retry_pin(c->d->device);
	SAY(c, "modem: the PIN is tried once more\n");
	return ST_OK;
}

/* The answer of the modem is that of the verb. */
struct order {
	struct feed *feed;
	uint32_t task;
};

static void
on_modem_only(void *arg, const struct at_reply *r)
{
	struct order *o = arg;
	bool done = r->result == AT_OK;
	char text[AT_REPLY_TEXT];

	if (done)
		feed_toldf(o->feed, o->task, 1, "modem: a modem only, from "
		    "when it is plugged in again\n");
	else
		feed_toldf(o->feed, o->task, 2, "oobd: the modem does not do "
		    "it: %s\n", at_reply_text(text, r));
	feed_done(o->feed, o->task, done ? ST_OK : ST_FAILED);
	free(o);
}

/* What it writes into the stick outlives everything: only by this order. */
static int
do_modem_only(const struct call *c)
{
	struct device *dev = c->d->device;
	const char *text = device_status(dev)->quirk->modem_only;
	struct order *o;

	if (c->task->argc != 2)
		return usage(c);
	if (!device_serves(dev)) {
		COMPLAIN(c, "oobd: the modem is not ready (modem status)\n");
		return ST_DOWN;
	}
	if (text == NULL) {
		COMPLAIN(c, "oobd: no such command is known for this make of "
		    "modem\n");
		return ST_FAILED;
	}
	tell_journal(c, "modem-only");
	o = xmalloc(sizeof(*o));
	*o = (struct order){ c->d->m->feed, c->task->id };
	if (at_send(device_queue(dev), &(struct at_command){ .text = text,
	    .timeout_ms = MODEM_ONLY_MS }, on_modem_only, o) != 0)
		return LATER;
	free(o);
	COMPLAIN(c, "oobd: the modem takes no command just now\n");
	return ST_FAILED;
}

static const struct {
	const char *name;
	int (*run)(const struct call *);
} subs[] = {
	{ "status",	do_status },
	{ "reset",	do_reset },
	{ "retry-pin",	do_retry_pin },
	{ "modem-only",	do_modem_only },
};

static int
run(const struct call *c)
{
	const struct feed_task *t = c->task;

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]) &&
	    t->argc > 1; i++) {
		if (strcmp(subs[i].name, t->argv[1]) != 0)
			continue;
		if (c->d->device != NULL)
			return subs[i].run(c);
		COMPLAIN(c, "oobd: there is no modem (section modem of the "
		    "configuration)\n");
		return ST_DOWN;
	}
	return usage(c);
}

void
modem_device_run(struct modem_device *d, const struct feed_task *t)
{
	const struct call c = { .d = d, .task = t };
	int status = run(&c);

	if (status != LATER)
		feed_done(d->m->feed, t->id, status);
}
