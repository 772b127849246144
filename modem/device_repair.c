#include <stdio.h>
#include <string.h>

#include "../server/base/log.h"
#include "device_internal.h"
#include "usbreset.h"

#define LENT_MS 60000		/* between tries while PPP runs */
#define REOPEN_MS 2000
#define RADIO_MS 3000		/* to settle behind CFUN */
#define RESTART_MS 10000	/* before a restarted modem is there again */
#define USB_MS 20000		/* for the reset itself */
#define POWER_MS 60000
#define WAIT_MAX_MS (10 * 60 * 1000)

static void take_step(struct device *, enum ladder_step);

/* A queue that can still be asked, NULL when all are silent. */
static struct at_queue *
any_queue(struct device *d)
{
	for (int i = CHANNELS - 1; i >= 0; i--)
		if (at_channel_is_open(d->ch[i]) &&
		    at_queue_works(at_channel_queue(d->ch[i])))
			return at_channel_queue(d->ch[i]);
	return NULL;
}

/* Something is at work on it that must end first. */
static bool
is_helped(const struct device *d)
{
	return d->helper != NULL || d->powering;
}

static unsigned
possible(struct device *d, bool resync)
{
	unsigned mask = 1u << LADDER_REOPEN;

	if (resync)
		mask |= 1u << LADDER_RESYNC;
	if (any_queue(d) != NULL)
		mask |= 1u << LADDER_CFUN | 1u << LADDER_RESET;
	if (strncmp(d->st.data, "/dev/", 5) == 0)
		mask |= 1u << LADDER_USB;
	if (d->power_hook != NULL)
		mask |= 1u << LADDER_POWER;
	return mask;
}

void
device_trouble(struct device *d, bool resync, const char *why)
{
	struct mono now = mono_now();
	int64_t wait;
	int step;

	if (d->st.state == DEVICE_OFF || is_helped(d))
		return;
	log_warn("modem: %s", why);
	script_stop(d);
	/* Nothing here is worth the link that is up: only ask again. */
	if (d->st.lent) {
		device_change_state(d, DEVICE_REPAIRING, "%s; while data is "
		    "carried it is only asked again", why);
		timer_set(d->repair_timer, LENT_MS);
		return;
	}
	step = ladder_next(d->ladder, now, possible(d, resync), &wait);
	if (step == -1) {
		if (wait > WAIT_MAX_MS)
			wait = WAIT_MAX_MS;
		device_close(d);
		device_change_state(d, DEVICE_REPAIRING, "%s; all was tried, "
		    "again in %d min", why, (int)((wait + 59999) / 60000));
		d->waiting = true;
		timer_set(d->repair_timer, wait);
		return;
	}
	device_change_state(d, DEVICE_REPAIRING, "%s: %s", why,
	    ladder_text((enum ladder_step)step));
	device_tell(d, "modem-repair", "%s: %s", why,
	    ladder_text((enum ladder_step)step));
	take_step(d, (enum ladder_step)step);
}

/* It answers again: begin anew, it may have forgotten everything. */
void
device_repair_synced(struct device *d)
{
	timer_stop(d->repair_timer);
	device_identify(d);
}

/* A step has had its time: look what is there. */
void
device_on_repair_timer(void *arg)
{
	struct device *d = arg;

	if (d->st.lent && at_channel_is_open(d->ch[MAIN])) {
		timer_set(d->repair_timer, LENT_MS);
		at_queue_resync(device_queue(d));
		return;
	}
	if (d->powering) {
		device_powered(d, false, "no answer in time");
		return;
	}
	d->waiting = false;
	device_close(d);
	d->absent_since = mono_now();
	device_find(d);
}

static void
on_radio_on(void *arg, const struct at_reply *r)
{
	struct device *d = arg;

	if (r->result != AT_GONE && r->result != AT_CANCELLED)
		timer_set(d->repair_timer, RADIO_MS);
}

static void
on_radio_off(void *arg, const struct at_reply *r)
{
	struct device *d = arg;
	struct at_queue *q = any_queue(d);

	if (r->result == AT_GONE || r->result == AT_CANCELLED)
		return;
	/* On it must be in any case, whatever "off" was answered. */
	if (q == NULL || at_send(q, &(struct at_command){ .text = "AT+CFUN=1",
	    .timeout_ms = 15000 }, on_radio_on, d) == 0)
		timer_set(d->repair_timer, 0);
}

static void send_reset(struct device *);

static void
on_reset(void *arg, const struct at_reply *r)
{
	struct device *d = arg;

	if (r->result == AT_GONE || r->result == AT_CANCELLED)
		return;
	/* No answer is one, too: it restarts. */
	if (r->result == AT_OK || r->result == AT_TIMEOUT) {
		device_close(d);
		timer_set(d->repair_timer, RESTART_MS);
		return;
	}
	d->at_reset++;
	send_reset(d);
}

static void
send_reset(struct device *d)
{
	const char *text = d->st.quirk->reset[d->at_reset];
	struct at_queue *q = any_queue(d);

	if (text == NULL) {
		device_trouble(d, false, "it refuses to restart");
		return;
	}
	if (q == NULL || at_send(q, &(struct at_command){ .text = text,
	    .timeout_ms = 5000 }, on_reset, d) == 0)
		timer_set(d->repair_timer, 0);
}

/* Whoever was at it has done it, or not. */
static void
on_outside(struct device *d, bool done, const char *why)
{
	d->helper = NULL;
	if (!done)
		log_warn("modem: %s: %s", ladder_text(d->repairing), why);
	timer_set(d->repair_timer, done ? RESTART_MS : REOPEN_MS);
}

static void
on_usb(void *arg, int status, const char *why)
{
	on_outside(arg, status == 0, status > 0 ? usbreset_text(status) : why);
}

static void
on_power(void *arg, int status, const char *why)
{
	on_outside(arg, status == 0, why);
}

void
device_powered(struct device *d, bool done, const char *text)
{
	if (!d->powering)
		return;
	d->powering = false;
	on_outside(d, done, text);
}

/* True: it is done by somebody who has the right to. */
static bool
leave_to_others(struct device *d, enum ladder_step step, int64_t ms)
{
	if (d->ops->power == NULL)
		return false;
	d->powering = true;
	timer_set(d->repair_timer, ms);
	d->ops->power(d->arg, step);
	return true;
}

static void
reset_usb(struct device *d)
{
	device_close(d);
	if (leave_to_others(d, LADDER_USB, USB_MS))
		return;
	d->helper = helper_call(d->loop, usbreset, d->st.data, USB_MS, on_usb,
	    d);
	if (d->helper == NULL)
		on_usb(d, -1, "cannot start a process");
}

static void
cut_power(struct device *d)
{
	const char *const argv[] = { d->power_hook, d->st.data, NULL };

	device_close(d);
	if (d->power_hook != NULL && leave_to_others(d, LADDER_POWER,
	    POWER_MS))
		return;
	d->helper = d->power_hook == NULL ? NULL :
	    helper_exec(d->loop, argv, POWER_MS, on_power, d);
	if (d->helper == NULL)
		on_power(d, -1, "cannot start it");
}

static void
take_step(struct device *d, enum ladder_step step)
{
	d->waiting = false;
	d->repairing = step;
	switch (step) {
	case LADDER_RESYNC:
		at_queue_resync(device_queue(d));
		break;
	case LADDER_REOPEN:
		device_close(d);
		timer_set(d->repair_timer, REOPEN_MS);
		break;
	case LADDER_CFUN:
		if (any_queue(d) == NULL || at_send(any_queue(d),
		    &(struct at_command){ .text = "AT+CFUN=4",
		    .timeout_ms = 15000 }, on_radio_off, d) == 0)
			timer_set(d->repair_timer, 0);
		break;
	case LADDER_RESET:
		d->at_reset = 0;
		send_reset(d);
		break;
	case LADDER_USB:
		reset_usb(d);
		break;
	case LADDER_POWER:
		cut_power(d);
		break;
	case LADDER_STEPS:
		break;
	}
}

void
device_repair(struct device *d, enum ladder_step step)
{
	if (d->st.state == DEVICE_OFF || is_helped(d))
		return;
	timer_stop(d->repair_timer);
	script_stop(d);
	device_tell(d, "modem-repair", "%s", ladder_text(step));
	device_change_state(d, DEVICE_REPAIRING, "%s", ladder_text(step));
	take_step(d, step);
}

void
device_complain(struct device *d, const char *why)
{
	if (device_serves(d))
		device_trouble(d, true, why);
}

unsigned
device_repairs(const struct device *d, enum ladder_step step)
{
	return ladder_count(d->ladder, step);
}

void
device_repair_stop(struct device *d)
{
	timer_stop(d->repair_timer);
	helper_free(d->helper);
	d->helper = NULL;
	d->powering = false;
}
