#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../modem/at_field.h"
#include "../modem/ppp.h"
#include "base/aside.h"
#include "base/log.h"
#include "base/mem.h"
#include "modem_device.h"
#include "modem_dial_internal.h"

#define AGAIN_MS 1000		/* the modem is able, but not just now */
#define MARGIN_MS 5000		/* for others to keep their deadline first */
#define BAD_MAX 2		/* calls without data, then the ladder */
#define FEW 3			/* refused logins; then contracts get locked */

#define AS_DIAL (-1)		/* dial_timeout, and MARGIN_MS */
#define AS_PROVE (-2)		/* prove_timeout */

/* Of the whole attempt dial_timeout is the deadline, from the call on. */
static const struct {
	const char *text;
	int64_t limit_ms;	/* 0: none; negative: one of the above */
	const char *late;	/* what has failed then */
} states[] = {
	[DIAL_IDLE] = { "idle", 0, NULL },
	[DIAL_WAITING] = { "waiting", 60 * 1000, NULL },
	[DIAL_SETTING] = { "setting", 30 * 1000,
	    "E-MODEM: it does not answer" },
	[DIAL_CALLING] = { "calling", AS_DIAL, "E-PDP: the call got no answer" },
	[DIAL_ASKING] = { "asking", 10 * 1000, NULL },
	[DIAL_NEGOTIATING] = { "negotiating", AS_DIAL,
	    "E-PDP: the network gave no address in time" },
	[DIAL_PROVING] = { "proving", AS_PROVE, NULL },
	[DIAL_UP] = { "up", 0, NULL },
	[DIAL_ENDING] = { "ending", 10 * 1000, NULL },
};

static int64_t
limit_of(const struct modem_dial *d, enum dial_state state)
{
	const struct config_modem *c = d->m->conf->modem;
	int64_t ms = states[state].limit_ms;

	if (ms >= 0)
		return ms;
	if (c == NULL)
		return MARGIN_MS;
	return ms == AS_PROVE ? c->prove_ms : c->dial_ms + MARGIN_MS;
}

static void
change_state(struct modem_dial *d, enum dial_state to)
{
	int64_t ms = limit_of(d, to);

	log_debug("dial: %s to %s", states[d->state].text, states[to].text);
	d->state = to;
	timer_stop(d->limit);
	timer_stop(d->soon);
	if (ms > 0)
		timer_set(d->limit, ms);
}

static struct device *
device(const struct modem_dial *d)
{
	return modem_device_get(d->m->device);
}

/* Whatever is under way at the modem; its callback finds another state. */
static void
forget_command(struct modem_dial *d)
{
	uint32_t id = d->command;

	d->command = 0;
	if (device(d) != NULL && id != 0)
		at_cancel(device_queue(device(d)), id);
}

/* The modem may be what is wrong: it is told before the next call. */
static void
judge(struct modem_dial *d)
{
	char name[MODEM_WHY_NAME];

	modem_why_name(name, d->reason);
	if (strcmp(name, "E-PDP") == 0)
		d->bad++;
	if (strcmp(name, "E-PORT") != 0 && d->bad < BAD_MAX)
		return;
	d->bad = 0;
	memcpy(d->complaint, d->reason, sizeof(d->complaint));
}

static void
tell_failed(struct modem_dial *d)
{
	char why[MODEM_WHY];

	memcpy(why, d->reason, sizeof(why));
	judge(d);
	d->ops->failed(d->arg, why, d->hopeless);
}

/* PPP is gone: the line goes back to the modem. */
static void
finish(struct modem_dial *d)
{
	int fd = d->fd;

	dial_watch_stop(d);
	dial_data_end(d);
	d->fd = -1;
	change_state(d, DIAL_IDLE);
	d->ppp.interface[0] = d->ppp.local[0] = d->ppp.dns[0] = '\0';
	if (fd != -1 && device(d) != NULL)
		device_return(device(d), fd);
	else if (fd != -1)
		aside_close(fd);
	modem_device_settle(d->m->device);
	if (d->failing)
		tell_failed(d);
	else
		d->ops->closed(d->arg);
}

static void
end_ppp(struct modem_dial *d)
{
	link_start(d->m->up, UP_PPP_STOP);
	link_send(d->m->up);
	link_flush(d->m->up);
	if (d->counting)
		timer_stop(d->count);
	dial_watch_stop(d);
	change_state(d, DIAL_ENDING);
}

/* Whatever is under way.  False: PPP has to end first, or does. */
static bool
break_off(struct modem_dial *d)
{
	switch (d->state) {
	case DIAL_IDLE:
		break;
	case DIAL_WAITING:
	case DIAL_SETTING:
	case DIAL_ASKING:
		change_state(d, DIAL_IDLE);
		forget_command(d);
		break;
	case DIAL_CALLING:
		change_state(d, DIAL_IDLE);
		if (device(d) != NULL)
			device_hang_up(device(d));
		break;
	case DIAL_NEGOTIATING:
	case DIAL_PROVING:
	case DIAL_UP:
		end_ppp(d);
		return false;
	case DIAL_ENDING:
		return false;
	}
	return true;
}

void
dial_fail(struct modem_dial *d, const char *why, bool hopeless)
{
	if (d->state == DIAL_IDLE || d->state == DIAL_ENDING)
		return;
	if (why != d->reason)
		snprintf(d->reason, sizeof(d->reason), "%s", why);
	d->failing = true;
	d->hopeless = hopeless;
	if (break_off(d))
		tell_failed(d);
}

/* The call */

static void
on_cause(void *arg, const struct at_reply *r)
{
	struct modem_dial *d = arg;
	char cause[MODEM_WHY] = "", why[MODEM_WHY];
	struct at_field f;

	if (d->state != DIAL_ASKING)
		return;
	d->command = 0;
	if (r->nlines > 0 && at_field_start(&f, r->lines[0], "+CEER") &&
	    f.p != NULL)
		snprintf(cause, sizeof(cause), "%.*s", (int)(f.end - f.p),
		    f.p);
	dial_fail(d, modem_why_call(why, &d->refused, cause), false);
}

static void
on_no_call(struct modem_dial *d, const struct at_reply *r)
{
	char why[MODEM_WHY];

	d->refused = (struct at_reply){ .result = r->result, .code = r->code,
	    .text = "" };
	change_state(d, DIAL_ASKING);
	if (modem_why_has_cause(r) && device(d) != NULL)
		d->command = at_send(device_queue(device(d)),
		    &(struct at_command){ .text = "AT+CEER",
		    .prefix = "+CEER:" }, on_cause, d);
	if (d->command == 0)
		dial_fail(d, modem_why_call(why, r, ""), false);
}

static void
on_dialled(void *arg, const struct at_reply *r, int fd)
{
	struct modem_dial *d = arg;
	struct frame_out *o;

	/* Given up meanwhile. */
	if (d->state != DIAL_CALLING) {
		if (fd != -1)
			device_return(device(d), fd);
		return;
	}
	if (fd == -1) {
		on_no_call(d, r);
		return;
	}
	d->fd = fd;
	change_state(d, DIAL_NEGOTIATING);
	o = link_start(d->m->up, UP_PPP);
	frame_put_u32(o, d->seconds);
	link_send_fd(d->m->up, fd);
	link_flush(d->m->up);
	d->ops->came(d->arg, LINKSTATE_NEGOTIATING, "the modem is connected");
}

static void
call(struct modem_dial *d)
{
	const struct config_modem *c = d->m->conf->modem;

	change_state(d, DIAL_CALLING);
	if (c != NULL && device(d) != NULL && device_dial(device(d),
	    c->number, c->dial_ms, on_dialled, d))
		return;
	/* It comes back from the last call, perhaps. */
	change_state(d, DIAL_WAITING);
	timer_set(d->soon, AGAIN_MS);
}

static void
on_context(void *arg, const struct at_reply *r)
{
	struct modem_dial *d = arg;
	char text[AT_REPLY_TEXT], why[MODEM_WHY];

	if (d->state != DIAL_SETTING)
		return;
	d->command = 0;
	if (r->result == AT_OK) {
		call(d);
		return;
	}
	snprintf(why, sizeof(why), "%s: the modem refuses the apn: %s",
	    r->result == AT_GONE || r->result == AT_TIMEOUT ? "E-MODEM" :
	    "E-APN", at_reply_text(text, r));
	dial_fail(d, why, false);
}

/* The first context is what *99# dials. */
static void
set_context(struct modem_dial *d)
{
	char *text = xasprintf("AT+CGDCONT=1,\"IP\",\"%s\"",
	    d->m->conf->modem->apn);

	change_state(d, DIAL_SETTING);
	d->command = at_send(device_queue(device(d)), &(struct at_command){
	    .text = text, .timeout_ms = 10000 }, on_context, d);
	free(text);
	if (d->command == 0)
		dial_fail(d, "E-MODEM: it takes no commands", false);
}

/* Is the modem able by now? */
static void
look(struct modem_dial *d)
{
	const struct config_modem *c = d->m->conf->modem;
	struct device *dev = device(d);
	char why[MODEM_WHY];

	if (modem_dial_refuses(d, d->force, why)[0] != '\0') {
		dial_fail(d, why, true);
		return;
	}
	switch (modem_why_not(dev == NULL ? NULL : device_status(dev),
	    c != NULL && c->roaming, d->waits_for)) {
	case MODEM_CAN:
		break;
	case MODEM_WAITS:
		return;
	case MODEM_CANNOT:
		dial_fail(d, d->waits_for, false);
		return;
	}
	if (d->complaint[0] != '\0') {
		device_complain(dev, d->complaint);
		d->complaint[0] = '\0';
		timer_set(d->soon, AGAIN_MS);
	} else if (c == NULL || c->apn[0] == '\0') {
		call(d);
	} else {
		set_context(d);
	}
}

static void
on_soon(void *arg)
{
	struct modem_dial *d = arg;

	if (d->state == DIAL_WAITING)
		look(d);
}

void
modem_dial_look(struct modem_dial *d)
{
	/* Not while it is to come to itself after a complaint. */
	if (d->state == DIAL_WAITING && !timer_is_set(d->soon))
		look(d);
}

static void
on_limit(void *arg)
{
	struct modem_dial *d = arg;
	char failure[32] = "", text[MODEM_WHY] = "", why[MODEM_WHY];

	switch (d->state) {
	case DIAL_IDLE:
	case DIAL_UP:
		break;
	case DIAL_SETTING:
	case DIAL_CALLING:
	case DIAL_NEGOTIATING:
		dial_fail(d, states[d->state].late, false);
		break;
	case DIAL_WAITING:
		dial_fail(d, d->waits_for[0] == '\0' ?
		    "E-MODEM: its line is busy" : d->waits_for, false);
		break;
	case DIAL_ASKING:
		dial_fail(d, modem_why_call(why, &d->refused, ""), false);
		break;
	case DIAL_PROVING:
		d->ops->unproven(d->arg, failure, text);
		dial_fail(d, modem_why_unproven(why, failure, text,
		    dial_data_heard(d)), false);
		break;
	case DIAL_ENDING:
		log_warn("PPP does not end, going on");
		finish(d);
		break;
	}
}

/* PPP */

static void
on_address(struct modem_dial *d, const struct modem_dial_ppp *p)
{
	char why[MODEM_WHY];

	d->ppp = *p;
	change_state(d, DIAL_PROVING);
	if (!dial_data_start(d, why)) {
		dial_fail(d, why, false);
		return;
	}
	dial_watch_start(d);
	d->ops->came(d->arg, LINKSTATE_PROVING, "PPP has an address");
	if (d->state == DIAL_PROVING)
		d->ops->prove(d->arg, p);
}

/* Is it of no use to dial again? */
static bool
is_hopeless(struct modem_dial *d, const char *failure)
{
	switch (ppp_after(failure)) {
	case PPP_AFTER_NOTHING:
	case PPP_AFTER_REDIAL:
	case PPP_AFTER_REPAIR:
		break;
	case PPP_AFTER_FEW:
		return ++d->refusals >= FEW;
	case PPP_AFTER_HUMAN:
		return true;
	}
	return false;
}

static void
on_ended(struct modem_dial *d, const struct modem_dial_ppp *p)
{
	if (d->state != DIAL_ENDING) {
		d->failing = true;
		d->hopeless = is_hopeless(d, p->failure);
		snprintf(d->reason, sizeof(d->reason), "%s: %.130s",
		    p->failure[0] == '\0' ? "E-DEAD" : p->failure, p->text);
	}
	finish(d);
}

void
modem_dial_ppp(struct modem_dial *d, const struct modem_dial_ppp *p)
{
	bool runs = d->state >= DIAL_NEGOTIATING;

	switch (p->state) {
	case PPP_STARTING:
	case PPP_NEGOTIATING:
		break;
	case PPP_UP:
		if (d->state == DIAL_NEGOTIATING)
			on_address(d, p);
		break;
	case PPP_ENDED:
		/* A predecessor's is none of our business. */
		if (runs)
			on_ended(d, p);
		break;
	}
}

void
modem_dial_proven(struct modem_dial *d, const char *why, bool by_relay)
{
	if (d->state != DIAL_PROVING)
		return;
	/* Relays may be reached another way, too: it must be this one. */
	if (by_relay && !dial_data_heard(d)) {
		if (d->claim[0] != '\0')
			return;
		snprintf(d->claim, sizeof(d->claim), "%s", why);
		timer_set(d->count, 0);
		return;
	}
	d->bad = 0;
	change_state(d, DIAL_UP);
	d->ops->up(d->arg, why);
}

/* Life */

struct modem_dial *
modem_dial_new(struct modem *m, const struct modem_dial_ops *ops, void *arg)
{
	struct modem_dial *d = xcalloc(1, sizeof(*d));

	d->m = m;
	d->ops = ops;
	d->arg = arg;
	d->fd = -1;
	d->limit = timer_new(m->loop, on_limit, d);
	d->soon = timer_new(m->loop, on_soon, d);
	d->count = timer_new(m->loop, dial_data_on_count, d);
	d->watch = timer_new(m->loop, dial_watch_on_timer, d);
	return d;
}

void
modem_dial_free(struct modem_dial *d)
{
	dial_data_end(d);
	budget_free(d->budget);
	free(d->budget_path);
	if (d->fd != -1)
		close(d->fd);
	timer_free(d->limit);
	timer_free(d->soon);
	timer_free(d->count);
	timer_free(d->watch);
	free(d);
}

void
modem_dial_configure(struct modem_dial *d)
{
	dial_data_configure(d);
	if (d->m->conf->modem == NULL)
		dial_fail(d, "E-MODEM: none is configured any more", true);
	/* What it waited for may be allowed now. */
	if (d->state == DIAL_WAITING)
		timer_set(d->soon, 0);
}

void
modem_dial_forget(struct modem_dial *d)
{
	d->refusals = 0;
}

void
modem_dial_start(struct modem_dial *d, bool force, uint32_t seconds)
{
	d->force = force;
	d->seconds = seconds;
	d->failing = d->hopeless = false;
	d->reason[0] = d->waits_for[0] = '\0';
	d->received = d->sent = 0;
	change_state(d, DIAL_WAITING);
	timer_set(d->soon, 0);
}

void
modem_dial_life(struct modem_dial *d, uint32_t seconds)
{
	d->seconds = seconds;
	if (d->state < DIAL_NEGOTIATING || d->state == DIAL_ENDING)
		return;
	frame_put_u32(link_start(d->m->up, UP_PPP_LIFE), seconds);
	link_send(d->m->up);
	link_flush(d->m->up);
}

bool
modem_dial_stop(struct modem_dial *d)
{
	d->failing = false;
	return break_off(d);
}

void
modem_dial_revoked(struct modem_dial *d)
{
	if (d->fd != -1)
		aside_close(d->fd);
	d->fd = -1;
	if (d->state >= DIAL_NEGOTIATING)
		dial_fail(d, "E-MODEM: it vanished while it carried data",
		    false);
}

void
modem_dial_view(const struct modem_dial *d, struct modem_dial_look *v)
{
	bool has = d->state == DIAL_PROVING || d->state == DIAL_UP;
	struct device *dev = device(d);

	*v = (struct modem_dial_look){
		.state = states[d->state].text,
		.waits_for = d->state == DIAL_WAITING ? d->waits_for : "",
		.interface = has ? d->ppp.interface : "",
		.local = has ? d->ppp.local : "",
		.dns = has ? d->ppp.dns : "",
		.received = d->received,
		.sent = d->sent,
		.deaf = dev != NULL &&
		    device_status(dev)->state == DEVICE_DEAF,
	};
}
