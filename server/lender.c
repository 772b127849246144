#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../modem/ports.h"
#include "../serial/port.h"
#include "base/log.h"
#include "base/mem.h"
#include "lender.h"
#include "proto.h"

#define OPEN_LIMIT_MS 10000	/* then the opener is killed */
#define DEVICE_MAX 1024
#define PATHS_MAX 16		/* locks that may have to be given back */

/* One that is being opened. */
struct loan {
	struct lender *lender;
	uint32_t request;
	char device[DEVICE_MAX];
	struct job *job;		/* NULL: it ended */
	struct link *link;		/* to the opener; NULL: free */
};

struct lender {
	struct loop *loop;
	struct children *children;
	struct link *(*modem)(void *arg);
	void *arg;
	struct loan loans[LENDER_MAX];
	char paths[PATHS_MAX][PORT_PATH];
	size_t npaths;
};

static void
on_job_ended(void *arg, int status)
{
	struct loan *n = arg;

	(void)status;
	n->job = NULL;
}

/* What it had to say was said: the opener's end is not waited for. */
static void
end_loan(struct loan *n)
{
	link_free(n->link);
	n->link = NULL;
	if (n->job != NULL)
		job_cancel(n->job);
	n->job = NULL;
}

static void
refuse(struct lender *l, uint32_t request, const char *why)
{
	struct link *to = l->modem(l->arg);
	struct frame_out *o;

	if (to == NULL)
		return;
	o = link_start(to, SV_PORT_FAILED);
	frame_put_u32(o, request);
	frame_put_str(o, why);
	link_send(to);
	link_flush(to);
}

/* Lock files name the supervisor; it gives them back in the end. */
static void
remember(struct lender *l, const char *path)
{
	for (size_t i = 0; i < l->npaths; i++) {
		if (strcmp(l->paths[i], path) == 0)
			return;
	}
	if (l->npaths == PATHS_MAX) {
		port_unlock(l->paths[0]);
		memmove(l->paths[0], l->paths[1],
		    sizeof(l->paths[0]) * --l->npaths);
	}
	snprintf(l->paths[l->npaths++], PORT_PATH, "%s", path);
}

static int
on_opened(struct loan *n, struct frame *f, int fd)
{
	struct lender *l = n->lender;
	struct link *to = l->modem(l->arg);
	char path[PORT_PATH], usb[PORT_USB];
	struct frame_out *o;

	frame_u8(f);			/* its kind: the modem has none */
	frame_str(f, path, sizeof(path));
	frame_str(f, usb, sizeof(usb));
	if (!frame_ok(f))
		return -1;
	remember(l, path);
	end_loan(n);
	if (to == NULL)
		return 0;
	o = link_start(to, SV_PORT);
	frame_put_u32(o, n->request);
	frame_put_str(o, path);
	frame_put_str(o, usb);
	link_send_fd(to, fd);
	link_flush(to);
	return 0;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	struct loan *n = arg;
	char why[PORT_ERROR];
	int r = -1;

	if (f->type == SV_TTY && fd != -1) {
		r = on_opened(n, f, fd);
	} else if (f->type == SV_TTY_FAILED && fd == -1) {
		frame_str(f, why, sizeof(why));
		if (frame_ok(f)) {
			end_loan(n);
			refuse(n->lender, n->request, why);
			r = 0;
		}
	}
	if (fd != -1)
		close(fd);
	return r;
}

static void
on_down(void *arg, const char *unused)
{
	struct loan *n = arg;
	char why[DEVICE_MAX + 64];

	(void)unused;
	end_loan(n);
	snprintf(why, sizeof(why), "%s: opening it hangs or crashed",
	    n->device);
	refuse(n->lender, n->request, why);
}

static const struct link_ops opener_ops = {
	.frame = on_frame,
	.down = on_down,
};

/* 0, or -1 with errno. */
static int
start_opener(struct loan *n)
{
	char *words[] = { n->device, (char *)(uintptr_t)"115200",
	    (char *)(uintptr_t)"8N1", (char *)(uintptr_t)"none",
	    (char *)(uintptr_t)"modem" };
	struct job_conf job = { .role = "opener", .argc = 5, .argv = words,
	    .privileged = true, .limit_ms = OPEN_LIMIT_MS };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	job.fd = pair[1];
	n->job = job_run(n->lender->children, &job, on_job_ended, n);
	close(pair[1]);
	if (n->job == NULL) {
		close(pair[0]);
		return -1;
	}
	n->link = link_new(n->lender->loop, pair[0], 65536, &opener_ops, n);
	return 0;
}

static bool
is_ours(const struct config_modem *m, const char *device)
{
	char candidate[PORTS_SPEC];

	if (m == NULL)
		return false;
	if (strcmp(device, m->data) == 0 ||
	    (m->control != NULL && strcmp(device, m->control) == 0))
		return true;
	if (!ports_is_search(m->data, m->control))
		return false;
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (ports_candidate(m->data, i, candidate,
		    sizeof(candidate)) == 0 && strcmp(candidate, device) == 0)
			return true;
	}
	return false;
}

struct lender *
lender_new(struct loop *loop, struct children *children,
    struct link *(*modem)(void *), void *arg)
{
	struct lender *l = xcalloc(1, sizeof(*l));

	l->loop = loop;
	l->children = children;
	l->modem = modem;
	l->arg = arg;
	return l;
}

void
lender_forget(struct lender *l)
{
	for (size_t i = 0; i < LENDER_MAX; i++)
		end_loan(&l->loans[i]);
	while (l->npaths > 0)
		port_unlock(l->paths[--l->npaths]);
}

void
lender_free(struct lender *l)
{
	if (l == NULL)
		return;
	lender_forget(l);
	free(l);
}

void
lender_open(struct lender *l, const struct config_modem *m, uint32_t request,
    const char *device)
{
	struct loan *n = NULL;

	/* A reload may have come between: no reason to end the asker. */
	if (!is_ours(m, device) || strlen(device) >= sizeof(n->device)) {
		refuse(l, request, "no port of the configured modem");
		return;
	}
	for (size_t i = 0; i < LENDER_MAX && n == NULL; i++) {
		if (l->loans[i].link == NULL)
			n = &l->loans[i];
	}
	if (n == NULL) {
		refuse(l, request, "too many ports are being opened");
		return;
	}
	n->lender = l;
	n->request = request;
	snprintf(n->device, sizeof(n->device), "%s", device);
	if (start_opener(n) == -1)
		refuse(l, request, strerror(errno));
}
