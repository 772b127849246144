/*
 * Is the call still there?  A network that hangs up is not always seen on the
 * line that carries PPP: many modems have no carrier signal, and PPP's own
 * echo takes a minute.  With a second port the modem is asked.
 */
#include <stdlib.h>
#include <string.h>

#include "../modem/at_field.h"
#include "modem_device.h"
#include "modem_dial_internal.h"

#define ASK_MS 5000

/* The context that the number dials: "*99***2#", or the first. */
static int64_t
context_of(const struct modem_dial *d)
{
	const char *p = d->m->conf->modem == NULL ? NULL :
	    strstr(d->m->conf->modem->number, "***");

	return p == NULL ? 1 : strtol(p + 3, NULL, 10);
}

/* Those that are not defined are not in the list. */
static bool
is_active(const struct at_reply *r, int64_t context)
{
	struct at_field f;
	int64_t which, active;

	for (size_t i = 0; i < r->nlines; i++) {
		if (at_field_start(&f, r->lines[i], "+CGACT") &&
		    at_field_int(&f, &which) == 0 && which == context &&
		    at_field_int(&f, &active) == 0)
			return active == 1;
	}
	return false;
}

/* Some never call it active: then it is not for them to say. */
static void
on_answer(void *arg, const struct at_reply *r)
{
	struct modem_dial *d = arg;

	d->asked = 0;
	if (r->result != AT_OK ||
	    (d->state != DIAL_PROVING && d->state != DIAL_UP))
		return;
	if (is_active(r, context_of(d)))
		d->was_active = true;
	else if (d->was_active)
		dial_fail(d, "E-DEAD: the network ended the call", false);
}

void
dial_watch_start(struct modem_dial *d)
{
	d->was_active = false;
	timer_set(d->watch, 0);
}

void
dial_watch_stop(struct modem_dial *d)
{
	struct device *dev = modem_device_get(d->m->device);
	uint32_t id = d->asked;

	timer_stop(d->watch);
	d->asked = 0;
	if (dev != NULL && id != 0)
		at_cancel(device_queue(dev), id);
}

void
dial_watch_on_timer(void *arg)
{
	struct modem_dial *d = arg;
	struct device *dev = modem_device_get(d->m->device);

	timer_set(d->watch, ASK_MS);
	if (dev == NULL || d->asked != 0 || !device_serves(dev) ||
	    !device_status(dev)->two_ports)
		return;
	d->asked = at_send(device_queue(dev), &(struct at_command){
	    .text = "AT+CGACT?", .prefix = "+CGACT:" }, on_answer, d);
}
