/*
 * What goes over PPP: its routes, its counters, and the budget that these
 * are measured by.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../modem/route.h"
#include "base/log.h"
#include "base/mem.h"
#include "modem_dial_internal.h"

#define PROVE_TICK_MS 1000
#define COUNT_MS 10000

static const char *
path_of(struct modem_dial *d)
{
	free(d->budget_path);
	d->budget_path = xasprintf("%s/budget", d->m->home);
	return d->budget_path;
}

void
dial_data_configure(struct modem_dial *d)
{
	const struct config_modem *c = d->m->conf->modem;
	struct budget_conf conf;

	if (c == NULL)
		return;
	conf = (struct budget_conf){ .day_soft = c->day_soft,
	    .day_hard = c->day_hard, .month_soft = c->month_soft,
	    .month_hard = c->month_hard, .month_start = c->month_start };
	if (d->budget == NULL)
		d->budget = budget_new(path_of(d), &conf, stamp_now());
	else
		budget_configure(d->budget, &conf);
}

char *
modem_dial_refuses(struct modem_dial *d, bool force, char why[MODEM_WHY])
{
	char text[BUDGET_TEXT];

	why[0] = '\0';
	if (d->budget != NULL && d->m->conf->modem != NULL &&
	    budget_refuses(d->budget, force, stamp_now(), text)[0] != '\0')
		snprintf(why, MODEM_WHY, "E-QUOTA: %.140s", text);
	return why;
}

char *
modem_dial_budget(struct modem_dial *d, char dst[MODEM_DIAL_BUDGET])
{
	char text[BUDGET_TEXT];

	dst[0] = '\0';
	if (d->budget != NULL && d->m->conf->modem != NULL)
		snprintf(dst, MODEM_DIAL_BUDGET, "%s",
		    budget_text(d->budget, stamp_now(), text));
	return dst;
}

bool
dial_data_heard(const struct modem_dial *d)
{
	return d->received > 0;
}

static void
ask_route(struct modem_dial *d, bool add, const char *address)
{
	struct frame_out *o = link_start(d->m->up, UP_ROUTE);

	frame_put_u8(o, add);
	frame_put_str(o, address);
	link_send(d->m->up);
	link_flush(d->m->up);
}

/* They go with the interface; nothing is taken back here. */
void
modem_dial_route(struct modem_dial *d, const char *address)
{
	if ((d->state != DIAL_PROVING && d->state != DIAL_UP) ||
	    !route_is_host(address) || d->nroutes == DIAL_ROUTES)
		return;
	for (size_t i = 0; i < d->nroutes; i++) {
		if (strcmp(d->routes[i], address) == 0)
			return;
	}
	snprintf(d->routes[d->nroutes++], sizeof(d->routes[0]), "%s",
	    address);
	ask_route(d, true, address);
}

void
modem_dial_routed(struct modem_dial *d, const char *address, const char *why)
{
	char text[ROUTE_WHY];

	if (d->state != DIAL_PROVING && d->state != DIAL_UP)
		return;
	if (why[0] != '\0')
		log_warn("route to %s over %s: %s", address, d->ppp.interface,
		    why);
	else if (route_prove(address, d->ppp.interface, text) == -1)
		log_warn("link: %s", text);
}

/* Name servers and relays that are given by address. */
static void
add_routes(struct modem_dial *d)
{
	char list[sizeof(d->ppp.dns)], *rest = list, *one;

	d->nroutes = 0;
	memcpy(list, d->ppp.dns, sizeof(list));
	while ((one = strsep(&rest, ",")) != NULL)
		modem_dial_route(d, one);
	for (size_t i = 0; i < d->m->conf->nrelays; i++)
		modem_dial_route(d, d->m->conf->relays[i].host);
}

bool
dial_data_start(struct modem_dial *d, char why[MODEM_WHY])
{
	struct route_interface i;

	if (route_interface(d->ppp.interface, &i) == -1 || !i.exists ||
	    !i.up || strcmp(i.local, d->ppp.local) != 0) {
		snprintf(why, MODEM_WHY, "E-PDP: %s is not up with the "
		    "address %s", d->ppp.interface, d->ppp.local);
		return false;
	}
	d->first_received = i.received;
	d->first_sent = i.sent;
	d->received = d->sent = 0;
	d->claim[0] = '\0';
	d->told_soft = false;
	d->counting = true;
	budget_start(d->budget, i.received, i.sent, stamp_now());
	add_routes(d);
	timer_set(d->count, PROVE_TICK_MS);
	return true;
}

static enum budget_level
count(struct modem_dial *d, bool last)
{
	uint64_t received, sent;

	/* Gone with its interface: what was counted last must do. */
	if (route_counters(d->ppp.interface, &received, &sent) == -1) {
		received = d->first_received + d->received;
		sent = d->first_sent + d->sent;
	}
	if (received >= d->first_received)
		d->received = received - d->first_received;
	if (sent >= d->first_sent)
		d->sent = sent - d->first_sent;
	if (!last)
		return budget_count(d->budget, received, sent, stamp_now());
	budget_end(d->budget, received, sent, stamp_now());
	return BUDGET_FINE;
}

void
dial_data_end(struct modem_dial *d)
{
	timer_stop(d->count);
	if (!d->counting)
		return;
	d->counting = false;
	(void)count(d, true);
}

static void
look_at_budget(struct modem_dial *d, enum budget_level level)
{
	char text[BUDGET_TEXT], why[MODEM_WHY];

	budget_text(d->budget, stamp_now(), text);
	switch (level) {
	case BUDGET_FINE:
		break;
	case BUDGET_SOFT:
		if (!d->told_soft)
			d->ops->quota(d->arg, text);
		d->told_soft = true;
		break;
	case BUDGET_HARD:
		if (d->force)
			break;
		snprintf(why, sizeof(why), "E-QUOTA: %.140s", text);
		dial_fail(d, why, true);
		break;
	}
}

void
dial_data_on_count(void *arg)
{
	struct modem_dial *d = arg;

	timer_set(d->count, d->state == DIAL_PROVING ? PROVE_TICK_MS :
	    COUNT_MS);
	look_at_budget(d, count(d, false));
	if (d->state == DIAL_PROVING && d->claim[0] != '\0')
		modem_dial_proven(d, d->claim, true);
}
