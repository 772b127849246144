#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../serial/port.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "modem_device_internal.h"
#include "modem_dial.h"
#include "modem_sms.h"
#include "modem_why.h"
#include "power.h"
#include "proto.h"

#define PIN_FILE_MAX 256

/* The first line of pin_file; NULL: none.  To be wiped: freezero. */
static char *
read_pin(const struct config_modem *c)
{
	char *text, *pin;
	size_t n;

	if (c->pin_file == NULL)
		return NULL;
	text = file_read(c->pin_file, PIN_FILE_MAX, &n);
	if (text == NULL) {
		log_errno("%s: no PIN", c->pin_file);
		return NULL;
	}
	pin = xstrndup(text, strcspn(text, "\r\n"));
	freezero(text, n);
	return pin;
}

static void
wipe(char *pin)
{
	if (pin != NULL)
		freezero(pin, strlen(pin));
}

void
modem_device_read_pin(struct modem_device *d)
{
	const struct config_modem *c = d->m->conf->modem;
	char *pin;

	if (c == NULL || d->device == NULL)
		return;
	pin = read_pin(c);
	device_set_pin(d->device, pin);
	wipe(pin);
}

/* What the device asks for, and tells. */

static void
on_open(void *arg, uint32_t request, const char *spec)
{
	struct modem_device *d = arg;
	struct frame_out *o = link_start(d->m->up, UP_OPEN_PORT);

	frame_put_u32(o, request);
	frame_put_str(o, spec);
	link_send(d->m->up);
	link_flush(d->m->up);
}

static bool
on_present(void *arg, const char *spec)
{
	(void)arg;
	return port_present(spec);
}

char *
modem_device_text(const struct modem_device *d, char dst[MODEM_DEVICE_TEXT])
{
	const struct device_status *s;
	char signal[32] = "";

	if (d->device == NULL) {
		snprintf(dst, MODEM_DEVICE_TEXT, "none");
		return dst;
	}
	s = device_status(d->device);
	if (modem_why_dbm(s->rssi) != 0)
		snprintf(signal, sizeof(signal), ", %d dBm",
		    modem_why_dbm(s->rssi));
	if (device_serves(d->device))
		snprintf(dst, MODEM_DEVICE_TEXT, "%s, %s%s%s%s%s%s",
		    device_state_text(s->state), device_reg_text(s->cs),
		    s->oper[0] == '\0' ? "" : " at ", s->oper, signal,
		    s->why[0] == '\0' ? "" : ": ", s->why);
	else
		snprintf(dst, MODEM_DEVICE_TEXT, "%s%s%s",
		    device_state_text(s->state),
		    s->why[0] == '\0' ? "" : ": ", s->why);
	return dst;
}

/* In status, when it says something else than before. */
static void
show(struct modem_device *d)
{
	char text[MODEM_DEVICE_TEXT];

	if (d->device == NULL)
		text[0] = '\0';
	else
		modem_device_text(d, text);
	if (strcmp(text, d->shown) == 0)
		return;
	memcpy(d->shown, text, sizeof(text));
	feed_info(d->m->feed, "device", text);
}

static void
on_changed(void *arg)
{
	struct modem_device *d = arg;

	show(d);
	/* Every time: whether messages can be sent is another matter. */
	modem_sms_ready(d->m->sms, device_serves(d->device));
	modem_dial_look(d->m->dial);
}

/* Everything but that it is ready is a problem. */
static void
on_event(void *arg, const char *kind, const char *text)
{
	struct modem_device *d = arg;
	char *line = xasprintf("what=\"%s\"", text);

	for (char *p = line + 6; p[0] != '\0' && p[1] != '\0'; p++) {
		if (*p == '"')
			*p = '\'';
	}
	feed_event(d->m->feed, kind, line);
	free(line);
	if (strcmp(kind, "modem-ready") == 0)
		return;
	snprintf(d->problem, sizeof(d->problem), "%s", text);
	d->problem_at = mono_now();
}

static void
on_revoke(void *arg)
{
	struct modem_device *d = arg;

	modem_dial_revoked(d->m->dial);
}

static void
on_power(void *arg, enum ladder_step step)
{
	struct modem_device *d = arg;

	frame_put_u8(link_start(d->m->up, UP_POWER), step == LADDER_USB ?
	    POWER_USB : POWER_CYCLE);
	link_send(d->m->up);
	link_flush(d->m->up);
}

static const struct device_ops device_ops = {
	.open = on_open,
	.present = on_present,
	.changed = on_changed,
	.event = on_event,
	.revoke = on_revoke,
	.power = on_power,
};

/* What the device is made of: another text needs another device. */
static char *
made_of(const struct config *c)
{
	const struct config_modem *m = c->modem;

	return m == NULL ? xstrdup("") : xasprintf("%s %s %s %s", m->data,
	    m->control == NULL ? "-" : m->control,
	    m->power_hook == NULL ? "-" : m->power_hook, c->state_dir);
}

static void
drop(struct modem_device *d)
{
	struct device *old = d->device;

	if (old == NULL)
		return;
	modem_sms_ready(d->m->sms, false);
	modem_sms_device(d->m->sms, NULL);
	d->device = NULL;
	device_free(old);
	show(d);
}

static void
make(struct modem_device *d)
{
	const struct config_modem *c = d->m->conf->modem;
	struct device_conf conf;
	char *pinlog, *pin;

	if (c == NULL)
		return;
	pinlog = xasprintf("%s/pins", d->m->home);
	pin = read_pin(c);
	conf = (struct device_conf){ .data = c->data, .control = c->control,
	    .pin = pin, .pinlog = pinlog, .power_hook = c->power_hook };
	d->device = device_new(d->m->loop, &conf, &device_ops, d);
	wipe(pin);
	free(pinlog);
	modem_sms_device(d->m->sms, d->device);
	device_start(d->device);
	show(d);
}

struct modem_device *
modem_device_new(struct modem *m)
{
	struct modem_device *d = xcalloc(1, sizeof(*d));

	d->m = m;
	d->made_of = xstrdup("");
	return d;
}

void
modem_device_free(struct modem_device *d)
{
	device_free(d->device);
	free(d->made_of);
	free(d);
}

void
modem_device_configure(struct modem_device *d)
{
	char *of = made_of(d->m->conf);

	if (strcmp(of, d->made_of) == 0) {
		modem_device_read_pin(d);
	} else if (d->device != NULL && device_status(d->device)->lent) {
		/* The link that is up is not dropped for it. */
		d->stale = true;
	} else {
		drop(d);
		free(d->made_of);
		d->made_of = xstrdup(of);
		make(d);
	}
	free(of);
}

void
modem_device_settle(struct modem_device *d)
{
	if (!d->stale)
		return;
	d->stale = false;
	modem_device_configure(d);
}

struct device *
modem_device_get(const struct modem_device *d)
{
	return d->device;
}

void
modem_device_port(struct modem_device *d, uint32_t request, int fd,
    const char *path)
{
	if (d->device == NULL)
		close(fd);
	else
		device_opened(d->device, request, fd, path);
}

void
modem_device_port_failed(struct modem_device *d, uint32_t request,
    const char *why)
{
	if (d->device != NULL)
		device_not_opened(d->device, request, why);
}

void
modem_device_powered(struct modem_device *d, bool done, const char *text)
{
	if (d->device != NULL)
		device_powered(d->device, done, text);
}
