#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../serial/history.h"
#include "../serial/hotplug.h"
#include "../serial/port.h"
#include "base/log.h"
#include "base/mem.h"
#include "keeper.h"
#include "proto.h"

#define OPEN_LIMIT_MS 10000	/* an opener that takes longer is killed */
#define RETRY_MS 1000
#define FLAP_MS 100		/* least time between two opens of a device */

struct held {
	struct keeper *keeper;
	struct held *next;
	char *name, *device;
	struct line line;
	size_t ring_size;
	int ring;
	int tty;			/* -1: not open */
	enum port_kind kind;
	char path[PORT_PATH], usb[PORT_USB];
	char why[PORT_ERROR];			/* last failure, as told */
	bool wanted, tried, given, seen;
	struct timer *retry;
	struct mono opened_at;
	struct job *job;		/* an opener at work */
	struct link *link;		/* to it */
};

struct keeper {
	struct loop *loop;
	struct children *children;
	const struct keeper_ops *ops;
	void *arg;
	struct held *all;
	struct hotplug *hotplug;
	bool told_tried;
};

static struct held *
find(const struct keeper *k, const char *name)
{
	struct held *h;

	for (h = k->all; h != NULL; h = h->next) {
		if (strcmp(h->name, name) == 0)
			break;
	}
	return h;
}

static void
check_all_tried(struct keeper *k)
{
	if (k->told_tried)
		return;
	for (struct held *h = k->all; h != NULL; h = h->next) {
		if (!h->tried)
			return;
	}
	k->told_tried = true;
	k->ops->all_tried(k->arg);
}

static void
check_hotplug(struct keeper *k)
{
	bool want = false;

	for (struct held *h = k->all; h != NULL; h = h->next)
		want = want || (h->wanted && h->tty == -1);
	hotplug_want(k->hotplug, want);
}

static void
give_tty(struct held *h, struct link *to, bool fresh)
{
	struct frame_out *out;

	if (to == NULL)
		return;
	if (h->tty == -1) {
		out = link_start(to, SV_TTY_FAILED);
		frame_put_str(out, h->name);
		frame_put_str(out, h->why);
		link_send(to);
		return;
	}
	out = link_start(to, SV_TTY);
	frame_put_str(out, h->name);
	frame_put_u8(out, (uint8_t)h->kind);
	frame_put_u8(out, fresh);
	frame_put_str(out, h->path);
	frame_put_str(out, h->usb);
	link_send_fd(to, h->tty);
}

static void
give(struct held *h, struct link *to, bool fresh)
{
	struct frame_out *out;

	if (to == NULL)
		return;
	out = link_start(to, SV_RING);
	frame_put_str(out, h->name);
	frame_put_u64(out, h->ring_size);
	link_send_fd(to, h->ring);
	h->given = true;
	if (h->tty != -1 || h->tried)
		give_tty(h, to, fresh);
}

static void
close_tty(struct held *h)
{
	if (h->tty == -1)
		return;
	port_close(h->tty);
	port_unlock(h->path);
	h->tty = -1;
}

/* What it had to say was said: its end is not waited for. */
static void
end_opener(struct held *h)
{
	link_free(h->link);
	h->link = NULL;
	if (h->job != NULL)
		job_cancel(h->job);
	h->job = NULL;
}

static void
on_opener_ended(void *arg, int status)
{
	struct held *h = arg;

	(void)status;
	h->job = NULL;
}

static void
opened(struct held *h, int fd)
{
	struct link *console = h->keeper->ops->console(h->keeper->arg);

	h->tty = fd;
	h->why[0] = '\0';
	h->tried = true;
	h->opened_at = mono_now();
	log_info("console %s: %s is open", h->name, h->path);
	if (h->given)
		give_tty(h, console, true);
	if (console != NULL)
		link_flush(console);
	check_hotplug(h->keeper);
	check_all_tried(h->keeper);
}

static void
failed(struct held *h, const char *why)
{
	struct link *console = h->keeper->ops->console(h->keeper->arg);

	if (strcmp(h->why, why) != 0) {
		snprintf(h->why, sizeof(h->why), "%s", why);
		log_warn("console %s: %s", h->name, why);
		if (h->given)
			give_tty(h, console, false);
		if (console != NULL)
			link_flush(console);
	}
	h->tried = true;
	timer_set(h->retry, RETRY_MS);
	check_hotplug(h->keeper);
	check_all_tried(h->keeper);
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	struct held *h = arg;
	char why[PORT_ERROR];

	if (f->type == SV_TTY && fd != -1) {
		h->kind = (enum port_kind)frame_u8(f);
		frame_str(f, h->path, sizeof(h->path));
		frame_str(f, h->usb, sizeof(h->usb));
		if (!frame_ok(f)) {
			close(fd);
			return -1;
		}
		end_opener(h);
		opened(h, fd);
		return 0;
	}
	if (fd != -1)
		close(fd);
	if (f->type != SV_TTY_FAILED)
		return -1;
	frame_str(f, why, sizeof(why));
	if (!frame_ok(f))
		return -1;
	end_opener(h);
	failed(h, why);
	return 0;
}

static void
on_down(void *arg, const char *why)
{
	struct held *h = arg;
	char text[300];

	(void)why;
	end_opener(h);
	snprintf(text, sizeof(text), "%s: opening it hangs or crashed",
	    h->device);
	failed(h, text);
}

static const struct link_ops opener_ops = {
	.frame = on_frame,
	.down = on_down,
};

static void
start_opener(struct held *h)
{
	char speed[16], mode[LINE_TEXT];
	char *words[4];
	struct job_conf job = { .role = "opener", .argc = 4, .argv = words,
	    .privileged = true, .limit_ms = OPEN_LIMIT_MS };
	int pair[2];

	if (!h->wanted || h->tty != -1 || h->link != NULL)
		return;
	timer_stop(h->retry);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		failed(h, strerror(errno));
		return;
	}
	snprintf(speed, sizeof(speed), "%" PRIu32, h->line.speed);
	words[0] = h->device;
	words[1] = speed;
	words[2] = line_mode_text(mode, &h->line);
	words[3] = (char *)(uintptr_t)line_flow_text(&h->line);
	job.fd = pair[1];
	h->job = job_run(h->keeper->children, &job, on_opener_ended, h);
	close(pair[1]);
	if (h->job == NULL) {
		close(pair[0]);
		failed(h, strerror(errno));
		return;
	}
	h->link = link_new(h->keeper->loop, pair[0], 65536, &opener_ops, h);
}

static void
on_retry(void *arg)
{
	struct held *h = arg;

	/* The first try goes all the way, for its words; then looking is enough. */
	if (h->tried && h->wanted && h->tty == -1 && !port_present(h->device))
		timer_set(h->retry, RETRY_MS);
	else
		start_opener(h);
}

/* Something appeared in /dev. */
static void
on_hotplug(void *arg)
{
	struct keeper *k = arg;

	for (struct held *h = k->all; h != NULL; h = h->next) {
		if (h->wanted && h->tty == -1)
			timer_set_sooner(h->retry, 20);
	}
}

struct keeper *
keeper_new(struct loop *loop, struct children *children,
    const struct keeper_ops *ops, void *arg)
{
	struct keeper *k = xcalloc(1, sizeof(*k));

	k->loop = loop;
	k->children = children;
	k->ops = ops;
	k->arg = arg;
	k->hotplug = hotplug_new(loop, on_hotplug, k);
	return k;
}

static void
let_go(struct held *h)
{
	end_opener(h);
	timer_free(h->retry);
	close_tty(h);
	if (h->ring != -1)
		close(h->ring);
	free(h->name);
	free(h->device);
	free(h);
}

void
keeper_free(struct keeper *k)
{
	struct held *h;

	while ((h = k->all) != NULL) {
		k->all = h->next;
		let_go(h);
	}
	hotplug_free(k->hotplug);
	free(k);
}

/* The history file of a console, ready to be mapped; -1 and logged. */
static int
open_ring(const struct config *conf, const struct config_console *c,
    uid_t uid, gid_t gid)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.ring", conf->run_dir, c->name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1) {
		log_errno("console %s: %s", c->name, path);
		return -1;
	}
	if (history_prepare(fd, c->ring) == -1) {
		log_errno("console %s: %s (%zu bytes are needed)", c->name,
		    path, c->ring);
		close(fd);
		return -1;
	}
	if (geteuid() == 0 && fchown(fd, uid, gid) == -1)
		log_errno("console %s: %s", c->name, path);
	return fd;
}

static void
set_device(struct held *h, const struct config_console *c)
{
	bool same = h->device != NULL && strcmp(h->device, c->device) == 0;

	h->line = c->line;
	if (same)
		return;
	free(h->device);
	h->device = xstrdup(c->device);
	if (h->device[0] == '/')
		hotplug_add_path(h->keeper->hotplug, h->device);
	end_opener(h);
	close_tty(h);
	h->wanted = true;
	h->tried = false;		/* for its words, see on_retry */
	h->why[0] = '\0';
	timer_set(h->retry, 0);
}

static int
set_console(struct keeper *k, const struct config *conf,
    const struct config_console *c, uid_t uid, gid_t gid)
{
	struct held *h = find(k, c->name), **at;
	int ring;

	if (h == NULL) {
		ring = open_ring(conf, c, uid, gid);
		if (ring == -1)
			return -1;
		h = xcalloc(1, sizeof(*h));
		h->keeper = k;
		h->name = xstrdup(c->name);
		h->tty = -1;
		h->ring = ring;
		h->ring_size = c->ring;
		h->retry = timer_new(k->loop, on_retry, h);
		for (at = &k->all; *at != NULL; at = &(*at)->next)
			continue;
		*at = h;
	}
	h->seen = true;
	set_device(h, c);
	return 0;
}

int
keeper_set(struct keeper *k, const struct config *conf, uid_t uid, gid_t gid)
{
	struct held **at = &k->all, *h;
	int status = 0;

	for (h = k->all; h != NULL; h = h->next)
		h->seen = false;
	for (size_t i = 0; i < conf->nconsoles; i++) {
		if (set_console(k, conf, &conf->consoles[i], uid, gid) == -1)
			status = -1;
	}
	while ((h = *at) != NULL) {
		if (h->seen) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		let_go(h);
	}
	check_hotplug(k);
	check_all_tried(k);
	return status;
}

void
keeper_give_all(struct keeper *k, struct link *to)
{
	for (struct held *h = k->all; h != NULL; h = h->next)
		give(h, to, false);
}

void
keeper_give_new(struct keeper *k, struct link *to)
{
	for (struct held *h = k->all; h != NULL; h = h->next) {
		if (!h->given)
			give(h, to, true);
	}
}

void
keeper_open(struct keeper *k, const char *console)
{
	struct held *h = find(k, console);
	int64_t age;

	if (h == NULL)
		return;
	h->wanted = true;
	age = mono_ms(h->opened_at, mono_now());
	/* One that flaps is not opened more often than every FLAP_MS. */
	timer_set(h->retry, age < FLAP_MS ? FLAP_MS - age : 0);
	check_hotplug(k);
}

void
keeper_close(struct keeper *k, const char *console)
{
	struct held *h = find(k, console);

	if (h == NULL)
		return;
	h->wanted = false;
	end_opener(h);
	timer_stop(h->retry);
	close_tty(h);
}

bool
keeper_has(const struct keeper *k, const char *console)
{
	return find(k, console) != NULL;
}

void
keeper_end_breaks(struct keeper *k)
{
	for (struct held *h = k->all; h != NULL; h = h->next) {
		if (h->tty != -1)
			port_break(h->tty, false);
	}
}
