#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../auth/secret.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "device_internal.h"

static const char *const state_texts[] = {
	[DEVICE_OFF] = "off",
	[DEVICE_ABSENT] = "absent",
	[DEVICE_OPENING] = "opening",
	[DEVICE_STARTING] = "starting",
	[DEVICE_SIM] = "unlocking",
	[DEVICE_SEARCHING] = "searching",
	[DEVICE_READY] = "ready",
	[DEVICE_BLOCKED] = "blocked",
	[DEVICE_DEAF] = "deaf",
	[DEVICE_REPAIRING] = "repairing",
};

/* What goes into the journal when this state begins. */
static const char *const state_events[] = {
	[DEVICE_OFF] = NULL,
	[DEVICE_ABSENT] = NULL,		/* told with its cause */
	[DEVICE_OPENING] = NULL,
	[DEVICE_STARTING] = NULL,
	[DEVICE_SIM] = NULL,
	[DEVICE_SEARCHING] = NULL,
	[DEVICE_READY] = "modem-ready",
	[DEVICE_BLOCKED] = "modem-blocked",
	[DEVICE_DEAF] = NULL,
	[DEVICE_REPAIRING] = NULL,	/* each step is */
};

const char *
device_state_text(enum device_state state)
{
	return state_texts[state];
}

const char *
device_reg_text(enum device_reg reg)
{
	switch (reg) {
	case DEVICE_REG_IDLE:
		return "not registered";
	case DEVICE_REG_HOME:
		return "home";
	case DEVICE_REG_SEARCHING:
		return "searching";
	case DEVICE_REG_DENIED:
		return "denied";
	case DEVICE_REG_UNKNOWN:
		return "unknown";
	case DEVICE_REG_ROAMING:
		return "roaming";
	}
	return "unknown";
}

static bool
serves(enum device_state state)
{
	return state == DEVICE_SEARCHING || state == DEVICE_READY;
}

bool
device_serves(const struct device *d)
{
	return serves(d->st.state);
}

static void
on_changed_timer(void *arg)
{
	struct device *d = arg;

	if (d->ops->changed != NULL)
		d->ops->changed(d->arg);
}

void
device_changed(struct device *d)
{
	timer_set_sooner(d->changed_timer, 0);
}

void
device_tell(struct device *d, const char *kind, const char *fmt, ...)
{
	char text[DEVICE_WHY + 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info("%s: %s", kind, text);
	if (d->ops->event != NULL)
		d->ops->event(d->arg, kind, text);
}

static void
on_state(struct device *d, enum device_state old, enum device_state state)
{
	if (serves(state) && !serves(old))
		timer_set(d->well_timer, WELL_MS);
	else if (!serves(state))
		timer_stop(d->well_timer);
	if (!serves(state) && state != DEVICE_BLOCKED)
		timer_stop(d->watch_timer);
	if (state_events[state] == NULL ||
	    (state == old && state != DEVICE_BLOCKED))
		return;
	if (state == DEVICE_READY)
		device_tell(d, state_events[state], "%s %s, %s, operator %s",
		    d->st.maker, d->st.model, device_reg_text(d->st.cs),
		    d->st.oper[0] == '\0' ? "unknown" : d->st.oper);
	else
		device_tell(d, state_events[state], "%s", d->st.why);
}

void
device_change_state(struct device *d, enum device_state state,
    const char *fmt, ...)
{
	enum device_state old = d->st.state;
	char why[DEVICE_WHY];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (old == state && strcmp(why, d->st.why) == 0)
		return;
	memcpy(d->st.why, why, sizeof(why));
	if (old != state) {
		log_debug("modem: %s -> %s%s%s", state_texts[old],
		    state_texts[state], why[0] == '\0' ? "" : ": ", why);
		d->st.state = state;
		d->st.since = mono_now();
	}
	on_state(d, old, state);
	device_changed(d);
}

static void
on_synced(void *arg, struct at_channel *ch)
{
	struct device *d = arg;

	d->st.heard = mono_now();
	if (d->returning != RETURN_NONE && ch == device_data_channel(d))
		device_return_synced(d);
	else if (ch == d->ch[MAIN] && d->st.state == DEVICE_OPENING)
		device_open_synced(d);
	else if (ch == d->ch[MAIN] && d->st.state == DEVICE_REPAIRING)
		device_repair_synced(d);
}

static void
on_silent(void *arg, struct at_channel *ch, const char *why)
{
	struct device *d = arg;

	if (d->returning != RETURN_NONE && ch == device_data_channel(d))
		device_return_silent(d);
	else if (ch == d->ch[MAIN] && d->st.state == DEVICE_OPENING)
		device_open_silent(d);
	else
		device_trouble(d, false, why);
}

static void
on_gone(void *arg, struct at_channel *ch, const char *why)
{
	struct device *d = arg;
	bool repairing = d->st.state == DEVICE_REPAIRING;

	(void)ch;
	d->st.lost++;
	device_tell(d, "modem-lost", "its port is gone: %s", why);
	d->absent_since = mono_now();
	/* All of them, or what comes back gets other names. */
	device_close(d);
	if (repairing) {
		timer_set(d->repair_timer, 2000);
		return;
	}
	device_change_state(d, DEVICE_ABSENT, "its port is gone: %s", why);
	device_find_in(d, 500);
}

static const struct at_channel_ops channel_ops = { on_synced, on_silent,
    on_gone };

static char *
copy(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

static void
reset_status(struct device *d)
{
	d->st.rssi = 99;
	d->st.act = -1;
	d->st.pin_tries = -1;
	d->st.cs = d->st.ps = DEVICE_REG_UNKNOWN;
	d->st.roaming = false;
	d->st.oper[0] = '\0';
	d->st.lac = d->st.ci = 0;
}

struct device *
device_new(struct loop *loop, const struct device_conf *conf,
    const struct device_ops *ops, void *arg)
{
	struct device *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->ops = ops;
	d->arg = arg;
	d->data = xstrdup(conf->data);
	d->control = copy(conf->control);
	d->pin = secret_text(conf->pin);
	d->pinlog = xstrdup(conf->pinlog);
	d->power_hook = copy(conf->power_hook);
	d->ladder = ladder_new();
	d->absent = (struct backoff){ .min_ms = 500, .max_ms = 5000 };
	d->st.quirk = quirk_find("");
	d->st.since = mono_now();
	reset_status(d);
	d->ch[MAIN] = at_channel_new(loop, "modem", &channel_ops, d);
	d->ch[AUX] = at_channel_new(loop, "modem data", &channel_ops, d);
	d->changed_timer = timer_new(loop, on_changed_timer, d);
	d->open_timer = timer_new(loop, device_on_open_timer, d);
	d->script_timer = timer_new(loop, device_on_script_timer, d);
	d->watch_timer = timer_new(loop, device_on_watch_timer, d);
	d->well_timer = timer_new(loop, device_on_well_timer, d);
	d->return_timer = timer_new(loop, device_on_return_timer, d);
	d->repair_timer = timer_new(loop, device_on_repair_timer, d);
	for (size_t i = 0; i < PORTS_MAX; i++)
		d->cand[i].fd = -1;
	device_subscribe(d);
	return d;
}

void
device_free(struct device *d)
{
	if (d == NULL)
		return;
	device_stop(d);
	at_channel_free(d->ch[MAIN]);
	at_channel_free(d->ch[AUX]);
	timer_free(d->changed_timer);
	timer_free(d->open_timer);
	timer_free(d->script_timer);
	timer_free(d->watch_timer);
	timer_free(d->well_timer);
	timer_free(d->return_timer);
	timer_free(d->repair_timer);
	ladder_free(d->ladder);
	secret_free(d->pin);
	free(d->data);
	free(d->control);
	free(d->pinlog);
	free(d->power_hook);
	free(d);
}

void
device_close(struct device *d)
{
	bool lent = d->st.lent;

	script_stop(d);
	device_open_reset(d);
	timer_stop(d->watch_timer);
	timer_stop(d->return_timer);
	d->returning = RETURN_NONE;
	d->st.lent = false;
	at_channel_close(d->ch[MAIN]);
	at_channel_close(d->ch[AUX]);
	reset_status(d);
	if (lent)
		d->ops->revoke(d->arg);
	device_changed(d);
}

void
device_start(struct device *d)
{
	if (d->st.state != DEVICE_OFF)
		return;
	d->absent_since = mono_now();
	device_change_state(d, DEVICE_ABSENT, "not looked yet");
	device_find(d);
}

void
device_stop(struct device *d)
{
	if (d->st.state == DEVICE_OFF)
		return;
	d->st.lent = false;
	device_repair_stop(d);
	device_close(d);
	timer_stop(d->open_timer);
	device_change_state(d, DEVICE_OFF, "stopped");
}

const struct device_status *
device_status(const struct device *d)
{
	return &d->st;
}

struct at_queue *
device_queue(struct device *d)
{
	return at_channel_queue(d->ch[MAIN]);
}

struct at_channel *
device_data_channel(struct device *d)
{
	return d->ch[d->st.two_ports ? AUX : MAIN];
}

/* Hand the line over, or tell why not. */
static void
on_dialled(void *arg, const struct at_reply *r)
{
	struct device *d = arg;
	device_dial_fn *done = d->dial_done;
	struct at_reply gone = *r;
	int fd = -1;

	d->dial_id = 0;
	d->dial_done = NULL;
	if (r->result == AT_CONNECT) {
		fd = at_channel_release(device_data_channel(d));
		if (fd == -1)
			gone.result = AT_GONE;
		else
			d->st.lent = true;
	}
	if (fd != -1 && !d->st.two_ports) {
		script_stop(d);
		device_change_state(d, DEVICE_DEAF, "its only port carries "
		    "data: no messages until that ends");
	}
	device_changed(d);
	done(d->dial_arg, &gone, fd);
}

bool
device_dial(struct device *d, const char *number, int64_t timeout_ms,
    device_dial_fn *done, void *arg)
{
	struct at_queue *q = at_channel_queue(device_data_channel(d));
	char text[64];

	if (!device_serves(d) || d->st.lent || d->dial_id != 0 ||
	    d->returning != RETURN_NONE || number[0] == '\0' ||
	    strlen(number) > 40 ||
	    number[strspn(number, "0123456789*#+,")] != '\0')
		return false;
	/* Results in full, DCD as it is, DTR hangs up; refused is fine. */
	at_send(q, &(struct at_command){ .text = "ATX4&C1&D2" }, NULL, NULL);
	at_send(q, &(struct at_command){ .text = "AT+CMEE=1" }, NULL, NULL);
	snprintf(text, sizeof(text), "ATD%s", number);
	d->dial_done = done;
	d->dial_arg = arg;
	d->dial_id = at_send(q, &(struct at_command){ .text = text,
	    .timeout_ms = timeout_ms, .flags = AT_DIAL }, on_dialled, d);
	return d->dial_id != 0;
}

void
device_hang_up(struct device *d)
{
	at_cancel(at_channel_queue(device_data_channel(d)), d->dial_id);
}

void
device_set_pin(struct device *d, const char *pin)
{
	secret_free(d->pin);
	d->pin = secret_text(pin);
	if (d->st.state == DEVICE_BLOCKED)
		device_ask_pin(d);
}
