#include <sys/types.h>
#include <sys/socket.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/link.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify.h"
#include "notify_pump.h"
#include "notify_test.h"
#include "role.h"
#include "sandbox.h"

#define UP_OUT_MAX 65536

struct notify {
	struct loop *loop;
	struct link *up;		/* to the supervisor */
	struct feed *feed;		/* to the console process */
	struct config *conf;
	struct config *next;		/* given, in force with SV_READY */
	struct notify_posts *posts;
	struct notify_pump *pump;
	struct notify_tests *tests;
	bool stopping;
	bool ready_due;			/* see role_ready */
};

/* What the console process says. */

static void
on_feed_up(void *arg)
{
	struct notify *n = arg;

	log_debug("console process: linked");
	if (n->ready_due)
		role_ready(n->up, n->feed, &n->ready_due);
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
on_task(void *arg, const struct feed_task *t)
{
	struct notify *n = arg;

	if (n->conf != NULL && strcmp(t->argv[0], "notify") == 0) {
		notify_tests_run(n->tests, n->conf, t);
		return;
	}
	role_cannot(n->feed, t, "notify");
}

static void
on_task_gone(void *arg, uint32_t task)
{
	struct notify *n = arg;

	notify_tests_gone(n->tests, task);
}

/* Taken only once it is on disk; until then it is said again. */
static void
on_notice(void *arg, const struct feed_notice *f)
{
	struct notify *n = arg;
	struct notify_event e = { f->id,
	    f->severity > NOTIFY_CRITICAL ? NOTIFY_CRITICAL :
	    (enum notify_severity)f->severity, f->source, f->event, f->text };

	if (n->conf == NULL)
		return;
	notify_pump_add(n->pump, &e);
	feed_notice_taken(n->feed, f->id);
}

static const struct feed_ops feed_ops = {
	.up = on_feed_up,
	.down = on_feed_down,
	.consoles = on_consoles,
	.task = on_task,
	.task_gone = on_task_gone,
	.notice = on_notice,
};

static void
on_way(void *arg)
{
	struct notify *n = arg;

	if (n->conf != NULL)
		notify_pump_kick(n->pump);
}

/* What the supervisor says.  fd stays the caller's, unless -1 is left there. */

static int
sv_ping(struct notify *n, struct frame *f, int *fd)
{
	(void)fd;
	return role_pong(n->up, f);
}

static int
sv_config(struct notify *n, struct frame *f, int *fd)
{
	if (*fd == -1 || !frame_ok(f))
		return -1;
	config_free(n->next);
	n->next = role_config(*fd);
	return n->next == NULL ? -1 : 0;
}

/* Before the first word to anybody. */
static void
settle(const struct config *conf)
{
	const char *files[CONFIG_NOTIFIES_MAX * 4 + 1];
	size_t n = 0;

	for (size_t i = 0; i < conf->nnotifies; i++) {
		const struct config_notify *s = &conf->notifies[i];
		const char *const all[] = { s->token_file, s->user_file,
		    s->secret_file, s->ca_file };

		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
			if (all[k] != NULL)
				files[n++] = all[k];
		}
	}
	files[n] = NULL;
	sandbox_enter("notify", conf->state_dir, conf->log_dir, files);
}

static int
sv_sink(struct notify *n, struct frame *f, int *fd)
{
	uint32_t request = frame_u32(f);

	if (!frame_ok(f))
		return -1;
	notify_posts_sink(n->posts, request, *fd);
	*fd = -1;
	return 0;
}

static int
sv_ready(struct notify *n, struct frame *f, int *fd)
{
	struct config *old = n->conf;

	(void)fd;
	if (!frame_ok(f) || (n->conf == NULL && n->next == NULL))
		return -1;
	if (n->next != NULL) {
		if (n->conf == NULL)
			settle(n->next);
		notify_tests_stop(n->tests);
		n->conf = n->next;
		n->next = NULL;
		notify_pump_configure(n->pump, n->conf);
		config_free(old);
	}
	role_ready(n->up, n->feed, &n->ready_due);
	return 0;
}

static int
sv_peer(struct notify *n, struct frame *f, int *fd)
{
	char role[32];

	frame_str(f, role, sizeof(role));
	if (*fd == -1 || !frame_ok(f))
		return -1;
	if (strcmp(role, "console") == 0)
		feed_link(n->feed, *fd);
	else if (strcmp(role, "modem") == 0)
		notify_posts_modem(n->posts, *fd);
	else
		return -1;
	*fd = -1;
	return 0;
}

static int
sv_stop(struct notify *n, struct frame *f, int *fd)
{
	(void)fd;
	if (!frame_ok(f))
		return -1;
	n->stopping = true;
	loop_stop(n->loop, 0);
	return 0;
}

static const struct {
	uint16_t type;
	int (*handle)(struct notify *, struct frame *, int *fd);
} words[] = {
	{ SV_PING,	sv_ping },
	{ SV_CONFIG,	sv_config },
	{ SV_READY,	sv_ready },
	{ SV_SINK,	sv_sink },
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
	struct notify *n = arg;

	log_debug("supervisor: %s", why);
	loop_stop(n->loop, n->stopping ? 0 : 1);
}

static const struct link_ops up_ops = {
	.frame = on_supervisor,
	.down = on_supervisor_gone,
};

int
notify_main(int fd)
{
	struct notify n = { .conf = NULL };
	int status;

	signal(SIGPIPE, SIG_IGN);
	n.loop = loop_new();
	n.posts = notify_posts_new(n.loop, on_way, &n);
	if (n.posts == NULL)
		return 1;
	n.feed = feed_new(n.loop, "notify", &feed_ops, &n);
	n.pump = notify_pump_new(n.loop, n.posts, n.feed);
	n.tests = notify_tests_new(n.posts, n.feed);
	n.up = link_new(n.loop, fd, UP_OUT_MAX, &up_ops, &n);
	notify_posts_up(n.posts, n.up);
	status = loop_run(n.loop);
	feed_flush(n.feed);
	notify_tests_free(n.tests);
	notify_pump_free(n.pump);
	notify_posts_free(n.posts);
	feed_free(n.feed);
	link_free(n.up);
	config_free(n.conf);
	config_free(n.next);
	loop_free(n.loop);
	return status;
}
