#include "../server/base/log.h"
#include "at_errors.h"
#include "device_internal.h"

#define PATIENCE_MS 2000	/* between tries of a patient step */
#define PATIENCE_MAX 30
#define FULL_MS 1000		/* when the queue is full */
#define SILENT_MAX 3		/* timeouts in a row before the ladder */

static void send_step(struct device *);

void
script_stop(struct device *d)
{
	uint32_t id = d->script_id;

	d->script_number++;
	d->nscript = d->at_script = 0;
	d->script_id = 0;
	timer_stop(d->script_timer);
	/* Its answer is of no interest any more. */
	at_cancel(device_queue(d), id);
}

void
script_begin(struct device *d)
{
	script_stop(d);
	d->patience = 0;
}

void
script_add(struct device *d, const struct step *s)
{
	if (d->nscript < SCRIPT_MAX)
		d->script[d->nscript++] = *s;
	else
		log_error("modem: a sequence has too many commands");
}

void
script_add_list(struct device *d, const char *const *texts)
{
	for (; *texts != NULL; texts++)
		script_add(d, &(struct step){ .text = *texts });
}

/* Is it only that the SIM or the modem needs more time? */
static bool
is_busy(const struct at_reply *r)
{
	if (r->result == AT_CME)
		return r->code == AT_CME_SIM_BUSY ||
		    r->code == AT_CME_RESTART_WAIT;
	return r->result == AT_CMS && (r->code == 302 || r->code == 314 ||
	    r->code == 512 || r->code == 515 || r->code == 517);
}

static void
on_step(void *arg, const struct at_reply *r)
{
	struct device *d = arg;
	const struct step *s = &d->script[d->at_script];
	unsigned number = d->script_number;

	if (r->result == AT_CANCELLED || d->script_id == 0)
		return;
	d->script_id = 0;
	if (r->result == AT_GONE)
		return;		/* who closed it knows what comes next */
	if (r->result != AT_TIMEOUT)
		d->st.heard = mono_now();
	else if (at_queue_timeouts(device_queue(d)) >= SILENT_MAX) {
		device_trouble(d, true, "three commands in a row were not "
		    "answered");
		return;
	}
	if (s->patient && is_busy(r) && d->patience++ < PATIENCE_MAX) {
		timer_set(d->script_timer, PATIENCE_MS);
		return;
	}
	d->patience = 0;
	if (s->got != NULL)
		s->got(d, r);
	if (d->script_number != number)
		return;
	d->at_script++;
	send_step(d);
}

static void
send_step(struct device *d)
{
	const struct step *s = &d->script[d->at_script];
	void (*done)(struct device *) = d->script_done;

	if (d->at_script == d->nscript) {
		script_stop(d);
		done(d);
		return;
	}
	d->script_id = at_send(device_queue(d), &(struct at_command){
	    .text = s->text, .prefix = s->prefix, .mine = s->mine,
	    .timeout_ms = s->timeout_ms }, on_step, d);
	if (d->script_id == 0)
		timer_set(d->script_timer, FULL_MS);
}

void
device_on_script_timer(void *arg)
{
	struct device *d = arg;

	if (d->nscript > 0)
		send_step(d);
}

void
script_run(struct device *d, void (*done)(struct device *))
{
	d->script_done = done;
	d->at_script = 0;
	send_step(d);
}
