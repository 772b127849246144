#include <sys/types.h>
#include <sys/socket.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../auth/secret.h"
#include "base/link.h"
#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "feed.h"
#include "modem.h"
#include "modem_device.h"
#include "modem_dial.h"
#include "modem_drill.h"
#include "modem_home.h"
#include "modem_link.h"
#include "modem_link_internal.h"
#include "modem_sms.h"
#include "modem_uplink.h"
#include "proto.h"
#include "role.h"
#include "sandbox.h"

#define UP_OUT_MAX 65536
#define TEXT_MAX 1024

/* Verbs, as the console process gives them to us. */

static void
run_link(struct modem *m, const struct feed_task *t)
{
	modem_link_run(m->link, t);
}

static void
run_modem(struct modem *m, const struct feed_task *t)
{
	modem_device_run(m->device, t);
}

static void
run_sms(struct modem *m, const struct feed_task *t)
{
	modem_sms_run(m->sms, t);
}

static const struct {
	const char *verb;
	void (*run)(struct modem *, const struct feed_task *);
} verbs[] = {
	{ "link",	run_link },
	{ "modem",	run_modem },
	{ "sms",	run_sms },
};

static void
on_task(void *arg, const struct feed_task *t)
{
	struct modem *m = arg;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		/* Before the configuration there is nothing to run. */
		if (m->conf != NULL && strcmp(verbs[i].verb, t->argv[0]) == 0) {
			verbs[i].run(m, t);
			return;
		}
	}
	role_cannot(m->feed, t, "modem");
}

static void
on_task_gone(void *arg, uint32_t id)
{
	struct modem *m = arg;

	modem_sms_task_gone(m->sms, id);
	modem_drill_task_gone(m->drill, id);
}

/* What the console process says beyond that. */

static void
on_feed_up(void *arg)
{
	struct modem *m = arg;

	log_debug("console process: linked");
	if (m->ready_due)
		role_ready(m->up, m->feed, &m->ready_due);
}

static void
on_feed_down(void *arg, const char *why)
{
	(void)arg;
	log_debug("console process: %s", why);
}

static void
on_consoles(void *arg)
{
	(void)arg;
}

static void
on_presence(void *arg, unsigned attached, unsigned by_relay)
{
	struct modem *m = arg;

	modem_link_attached(m->link, attached, by_relay);
}

static const struct feed_ops feed_ops = {
	.up = on_feed_up,
	.down = on_feed_down,
	.consoles = on_consoles,
	.task = on_task,
	.task_gone = on_task_gone,
	.presence = on_presence,
};

/* What the supervisor says.  fd stays the caller's, unless -1 is left there. */

static int
sv_ping(struct modem *m, struct frame *f, int *fd)
{
	(void)fd;
	return role_pong(m->up, f);
}

static int
sv_config(struct modem *m, struct frame *f, int *fd)
{
	if (*fd == -1 || !frame_ok(f))
		return -1;
	config_free(m->next);
	m->next = role_config(*fd);
	return m->next == NULL ? -1 : 0;
}

/* Before the first word to anybody. */
static void
settle(struct modem *m, const struct config *conf)
{
	const char *files[2] = { NULL, NULL };

	if (m->home != NULL)
		return;
	m->home = modem_home(conf->state_dir);
	if (conf->modem != NULL)
		files[0] = conf->modem->pin_file;
	sandbox_enter("modem", conf->state_dir, conf->log_dir, files);
}

static int
sv_ready(struct modem *m, struct frame *f, int *fd)
{
	struct config *old = m->conf;

	(void)fd;
	if (!frame_ok(f) || (m->conf == NULL && m->next == NULL))
		return -1;
	if (m->next != NULL) {
		settle(m, m->next);
		m->conf = m->next;
		m->next = NULL;
		modem_sms_configure(m->sms);
		modem_dial_configure(m->dial);
		modem_device_configure(m->device);
		modem_link_configure(m->link);
		modem_drill_configure(m->drill);
		modem_uplink_configure(m->uplink);
		config_free(old);
	}
	role_ready(m->up, m->feed, &m->ready_due);
	return 0;
}

static int
sv_peer(struct modem *m, struct frame *f, int *fd)
{
	char role[32];

	frame_str(f, role, sizeof(role));
	if (*fd == -1 || !frame_ok(f))
		return -1;
	if (strcmp(role, "console") == 0)
		feed_link(m->feed, *fd);
	else if (strcmp(role, "ssh") == 0)
		modem_link_peer(m->link, *fd);
	else if (strcmp(role, "notify") == 0)
		modem_link_notify(m->link, *fd, modem_sms_notify, m->sms);
	else
		return -1;
	*fd = -1;
	return 0;
}

static int
sv_port(struct modem *m, struct frame *f, int *fd)
{
	uint32_t request = frame_u32(f);
	char path[DEVICE_PATH], usb[64];

	frame_str(f, path, sizeof(path));
	frame_str(f, usb, sizeof(usb));
	if (*fd == -1 || !frame_ok(f))
		return -1;
	modem_device_port(m->device, request, *fd, path);
	*fd = -1;
	return 0;
}

static int
sv_port_failed(struct modem *m, struct frame *f, int *fd)
{
	uint32_t request = frame_u32(f);
	char why[TEXT_MAX];

	(void)fd;
	frame_str(f, why, sizeof(why));
	if (!frame_ok(f))
		return -1;
	modem_device_port_failed(m->device, request, why);
	return 0;
}

static int
sv_ppp(struct modem *m, struct frame *f, int *fd)
{
	struct modem_dial_ppp p;
	char text[TEXT_MAX];
	uint8_t state = frame_u8(f);

	(void)fd;
	frame_str(f, p.interface, sizeof(p.interface));
	frame_str(f, p.local, sizeof(p.local));
	frame_str(f, p.peer, sizeof(p.peer));
	frame_str(f, p.dns, sizeof(p.dns));
	frame_str(f, p.failure, sizeof(p.failure));
	frame_str(f, text, sizeof(text));
	if (!frame_ok(f) || state > PPP_ENDED)
		return -1;
	p.state = (enum ppp_state)state;
	snprintf(p.text, sizeof(p.text), "%.*s", (int)sizeof(p.text) - 1,
	    text);
	modem_dial_ppp(m->dial, &p);
	return 0;
}

static int
sv_route(struct modem *m, struct frame *f, int *fd)
{
	char address[48], why[TEXT_MAX];

	(void)fd;
	frame_str(f, address, sizeof(address));
	frame_str(f, why, sizeof(why));
	if (!frame_ok(f))
		return -1;
	modem_dial_routed(m->dial, address, why);
	return 0;
}

static int
sv_power(struct modem *m, struct frame *f, int *fd)
{
	bool done = frame_u8(f) != 0;
	char text[TEXT_MAX];

	(void)fd;
	frame_str(f, text, sizeof(text));
	if (!frame_ok(f))
		return -1;
	modem_device_powered(m->device, done, text);
	return 0;
}

static int
sv_stop(struct modem *m, struct frame *f, int *fd)
{
	(void)fd;
	if (!frame_ok(f))
		return -1;
	m->stopping = true;
	loop_stop(m->loop, 0);
	return 0;
}

static const struct {
	uint16_t type;
	int (*handle)(struct modem *, struct frame *, int *fd);
} words[] = {
	{ SV_PING,	sv_ping },
	{ SV_CONFIG,	sv_config },
	{ SV_READY,	sv_ready },
	{ SV_PEER,	sv_peer },
	{ SV_PORT,	sv_port },
	{ SV_PORT_FAILED, sv_port_failed },
	{ SV_PPP,	sv_ppp },
	{ SV_ROUTE,	sv_route },
	{ SV_POWER,	sv_power },
	{ SV_STOP,	sv_stop },
};

static int
on_supervisor(void *arg, struct frame *f, int fd)
{
	int r = -1;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].type == f->type) {
			r = words[i].handle(arg, f, &fd);
			break;
		}
	}
	if (fd != -1)
		close(fd);
	return r;
}

/* Without a supervisor nobody restarts or stops us: end. */
static void
on_supervisor_gone(void *arg, const char *why)
{
	struct modem *m = arg;

	log_debug("supervisor: %s", why);
	loop_stop(m->loop, m->stopping ? 0 : 1);
}

static const struct link_ops up_ops = {
	.frame = on_supervisor,
	.down = on_supervisor_gone,
};

int
modem_main(int fd)
{
	struct modem m = { .conf = NULL };
	int status;

	signal(SIGPIPE, SIG_IGN);
	secret_check();
	m.loop = loop_new();
	m.feed = feed_new(m.loop, "modem", &feed_ops, &m);
	m.up = link_new(m.loop, fd, UP_OUT_MAX, &up_ops, &m);
	m.device = modem_device_new(&m);
	m.drill = modem_drill_new(&m);
	m.link = modem_link_new(&m);
	m.dial = modem_dial_new(&m, &modem_link_dial_ops, m.link);
	m.sms = modem_sms_new(&m);
	m.uplink = modem_uplink_new(&m);
	status = loop_run(m.loop);
	feed_flush(m.feed);
	modem_uplink_free(m.uplink);
	modem_sms_free(m.sms);
	modem_dial_free(m.dial);
	modem_link_free(m.link);
	modem_drill_free(m.drill);
	modem_device_free(m.device);
	feed_free(m.feed);
	link_free(m.up);
	config_free(m.conf);
	config_free(m.next);
	free(m.home);
	loop_free(m.loop);
	return status;
}
