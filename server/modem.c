#include <sys/types.h>
#include <sys/socket.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/link.h"
#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "feed.h"
#include "modem.h"
#include "modem_link.h"
#include "proto.h"

#define UP_OUT_MAX 65536
#define CONFIG_BYTES_MAX (4 * 1024 * 1024)

struct modem {
	struct loop *loop;
	struct link *up;		/* to the supervisor */
	struct feed *feed;		/* to the console process */
	struct config *conf;
	struct config *next;		/* given, in force with SV_READY */
	struct modem_link *link;
	bool stopping;
};

/* Verbs, as the console process gives them to us. */

static void
run_link(struct modem *m, const struct feed_task *t)
{
	modem_link_run(m->link, t);
}

static const struct {
	const char *verb;
	void (*run)(struct modem *, const struct feed_task *);
} verbs[] = {
	{ "link",	run_link },
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
	feed_toldf(m->feed, t->id, 2, "oobd: %s: the modem process cannot do "
	    "that now\n", t->argv[0]);
	feed_done(m->feed, t->id, ST_FAILED);
}

/* What the console process says beyond that. */

static void
on_feed_up(void *arg)
{
	(void)arg;
	log_debug("console process: linked");
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
	.presence = on_presence,
};

/* What the supervisor says.  fd stays the caller's, unless -1 is left there. */

static void
complain(void *arg, const char *message)
{
	(void)arg;
	log_error("%s", message);
}

static int
sv_ping(struct modem *m, struct frame *f, int *fd)
{
	uint32_t number = frame_u32(f);

	(void)fd;
	if (!frame_ok(f))
		return -1;
	frame_put_u32(link_start(m->up, UP_PONG), number);
	link_send(m->up);
	link_flush(m->up);
	return 0;
}

static int
sv_config(struct modem *m, struct frame *f, int *fd)
{
	char *text;

	if (*fd == -1 || !frame_ok(f))
		return -1;
	text = fd_read(*fd, CONFIG_BYTES_MAX, NULL);
	if (text == NULL)
		return -1;
	config_free(m->next);
	m->next = config_parse(text, "configuration", complain, NULL);
	freezero(text, strlen(text));
	return m->next == NULL ? -1 : 0;
}

static int
sv_ready(struct modem *m, struct frame *f, int *fd)
{
	struct config *old = m->conf;

	(void)fd;
	if (!frame_ok(f) || (m->conf == NULL && m->next == NULL))
		return -1;
	if (m->next != NULL) {
		m->conf = m->next;
		m->next = NULL;
		modem_link_configure(m->link, m->conf);
		config_free(old);
	}
	link_start(m->up, UP_READY);
	link_send(m->up);
	link_flush(m->up);
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
		modem_link_notify(m->link, *fd, NULL, NULL);
	else
		return -1;
	*fd = -1;
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
	m.loop = loop_new();
	m.feed = feed_new(m.loop, "modem", &feed_ops, &m);
	m.link = modem_link_new(m.loop, m.feed);
	m.up = link_new(m.loop, fd, UP_OUT_MAX, &up_ops, &m);
	status = loop_run(m.loop);
	modem_link_free(m.link);
	feed_free(m.feed);
	link_free(m.up);
	config_free(m.conf);
	config_free(m.next);
	loop_free(m.loop);
	return status;
}
