#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ppprun.h"
#include "pppjob.h"
#include "proto.h"

#define OUT_MAX 65536
#define CLEAN_MS 15000		/* then the cleaner is killed */
#define LAST_MAX 2048
#define MARGIN_MS 60000		/* beyond max_hold: reporting and the like */

struct ppprun {
	struct loop *loop;
	struct children *children;
	char *run_dir;
	uid_t owner;
	const struct ppprun_ops *ops;
	void *arg;
	struct job *job;	/* NULL: none, or ended */
	struct link *link;	/* to it */
	struct job *cleaner;
	uint8_t last[LAST_MAX];	/* its SV_PPP ended, kept until it is gone */
	size_t nlast;
	bool forgotten;		/* by a modem process that is gone */
	bool up;
	struct ppprun_way way;	/* while it is */
};

static struct link *
listener(const struct ppprun *r)
{
	return r->forgotten ? NULL : r->ops->modem(r->arg);
}

static void
say_ended(struct link *to, const char *failure, const char *text)
{
	struct frame_out *o;

	if (to == NULL)
		return;
	o = link_start(to, SV_PPP);
	frame_put_u8(o, PPP_ENDED);
	for (int i = 0; i < 4; i++)
		frame_put_str(o, "");
	frame_put_str(o, failure);
	frame_put_str(o, text);
	link_send(to);
	link_flush(to);
}

static void
say_no_route(struct ppprun *r, const char *address, const char *why)
{
	struct link *to = r->ops->modem(r->arg);
	struct frame_out *o;

	if (to == NULL)
		return;
	o = link_start(to, SV_ROUTE);
	frame_put_str(o, address);
	frame_put_str(o, why);
	link_send(to);
	link_flush(to);
}

/* Cleaning: at the start, and after a job that was killed. */

static void
on_cleaned(void *arg, int status)
{
	struct ppprun *r = arg;

	r->cleaner = NULL;
	if (status != 0)
		log_error("PPP: what was left behind is not cleaned");
}

static struct job *
run_job(struct ppprun *r, const char *what, int fd, int64_t limit_ms,
    void (*ended)(void *, int))
{
	char *words[] = { (char *)(uintptr_t)what, r->run_dir };
	struct job_conf job = { .role = "ppp", .argc = 2, .argv = words,
	    .fd = fd, .privileged = true, .limit_ms = limit_ms };

	return job_run(r->children, &job, ended, r);
}

static void
clean(struct ppprun *r)
{
	int pair[2];

	if (geteuid() != 0 || r->cleaner != NULL)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		log_errno("PPP: socketpair");
		return;
	}
	r->cleaner = run_job(r, "clean", pair[1], CLEAN_MS, on_cleaned);
	if (r->cleaner == NULL)
		log_errno("PPP: cannot clean up");
	close(pair[0]);
	close(pair[1]);
}

/* The job. */

static void
check_ended(struct ppprun *r)
{
	struct link *to = listener(r);

	if (r->job != NULL || r->link != NULL)
		return;
	if (r->nlast == 0) {
		clean(r);
		say_ended(to, "E-PPP", "the process that watches PPP died");
	} else if (to != NULL) {
		frame_put_bytes(link_start(to, SV_PPP), r->last, r->nlast);
		link_send(to);
		link_flush(to);
	}
	r->ops->ended(r->arg);
}

static void
on_job_ended(void *arg, int status)
{
	struct ppprun *r = arg;

	(void)status;
	r->job = NULL;
	check_ended(r);
}

/* Of each SV_PPP: whoever is to connect that way needs to know. */
static void
note_way(struct ppprun *r, struct frame f)
{
	enum ppp_state state = (enum ppp_state)frame_u8(&f);
	char peer[48];

	frame_str(&f, r->way.interface, sizeof(r->way.interface));
	frame_str(&f, r->way.local, sizeof(r->way.local));
	frame_str(&f, peer, sizeof(peer));
	frame_str(&f, r->way.servers, sizeof(r->way.servers));
	r->up = !f.bad && state == PPP_UP;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	struct ppprun *r = arg;
	struct link *to = listener(r);
	struct frame look = *f;
	const uint8_t *p;
	size_t n;

	if (fd != -1) {
		close(fd);
		return -1;
	}
	if (f->type != SV_PPP && f->type != SV_ROUTE)
		return -1;
	if (f->type == SV_PPP)
		note_way(r, *f);
	p = frame_rest(f, &n);
	if (f->type == SV_PPP && frame_u8(&look) == PPP_ENDED) {
		if (n > sizeof(r->last))
			return -1;
		memcpy(r->last, p, r->nlast = n);
		return 0;
	}
	if (to == NULL)
		return 0;
	frame_put_bytes(link_start(to, f->type), p, n);
	link_send(to);
	link_flush(to);
	return 0;
}

static void
on_down(void *arg, const char *why)
{
	struct ppprun *r = arg;

	if (strcmp(why, "peer gone") != 0)
		log_error("PPP: %s", why);
	r->up = false;
	link_free(r->link);
	r->link = NULL;
	check_ended(r);
}

static const struct link_ops job_ops = {
	.frame = on_frame,
	.down = on_down,
};

static uint32_t
most_seconds(const struct config *conf)
{
	int64_t ms = conf->activation.max_hold_ms + conf->modem->dial_ms +
	    conf->modem->prove_ms + MARGIN_MS;

	return ms / 1000 > UINT32_MAX / 2 ? UINT32_MAX / 2 :
	    (uint32_t)(ms / 1000);
}

static void
send_run(struct ppprun *r, const struct config *conf, uint32_t seconds, int fd)
{
	const struct config_modem *m = conf->modem;
	uint32_t most = most_seconds(conf);
	struct frame_out *o = link_start(r->link, PJ_RUN);

	frame_put_u32(o, seconds < most ? seconds : most);
	frame_put_u32(o, most);
	frame_put_u32(o, (uint32_t)(m->dial_ms / 1000));
	frame_put_u8(o, m->default_route);
	frame_put_str(o, m->user == NULL ? "" : m->user);
	frame_put_str(o, m->password_file == NULL ? "" : m->password_file);
	frame_put_u32(o, (uint32_t)r->owner);
	frame_put_str(o, strcmp(m->dns, "peer") == 0 ? "" : m->dns);
	link_send_fd(r->link, fd);
	link_flush(r->link);
}

/* Why not, or NULL. */
static const char *
start_job(struct ppprun *r)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return strerror(errno);
	r->job = run_job(r, "run", pair[1], 0, on_job_ended);
	close(pair[1]);
	if (r->job == NULL) {
		close(pair[0]);
		return strerror(errno);
	}
	r->link = link_new(r->loop, pair[0], OUT_MAX, &job_ops, r);
	r->nlast = 0;
	r->up = false;
	r->forgotten = false;
	return NULL;
}

static void
tell(struct ppprun *r, uint16_t type)
{
	link_start(r->link, type);
	link_send(r->link);
	link_flush(r->link);
}

struct ppprun *
ppprun_new(struct loop *loop, struct children *children, const char *run_dir,
    uid_t owner, const struct ppprun_ops *ops, void *arg)
{
	struct ppprun *r = xcalloc(1, sizeof(*r));

	r->loop = loop;
	r->children = children;
	r->run_dir = xstrdup(run_dir);
	r->owner = owner;
	r->ops = ops;
	r->arg = arg;
	clean(r);
	return r;
}

void
ppprun_free(struct ppprun *r)
{
	if (r == NULL)
		return;
	link_free(r->link);
	free(r->run_dir);
	free(r);
}

void
ppprun_start(struct ppprun *r, const struct config *conf, uint32_t seconds,
    int fd)
{
	const char *why = NULL;

	/* The job cleans up first, too. */
	if (r->cleaner != NULL)
		job_cancel(r->cleaner);
	r->cleaner = NULL;
	if (ppprun_busy(r))
		why = "the PPP before has not ended yet";
	else if (conf->modem == NULL)
		why = "no modem is configured";
	else if (geteuid() != 0)
		why = "PPP needs root: start oobd as root";
	else
		why = start_job(r);
	if (why == NULL)
		send_run(r, conf, seconds, fd);
	else		/* also when the PPP before is a dead process's */
		say_ended(r->ops->modem(r->arg), "E-PPP", why);
}

void
ppprun_life(struct ppprun *r, uint32_t seconds)
{
	if (r->link == NULL)
		return;
	frame_put_u32(link_start(r->link, UP_PPP_LIFE), seconds);
	link_send(r->link);
	link_flush(r->link);
}

void
ppprun_stop(struct ppprun *r)
{
	if (r->link != NULL)
		tell(r, UP_PPP_STOP);
}

void
ppprun_route(struct ppprun *r, bool add, const char *address)
{
	struct frame_out *o;

	if (r->link == NULL) {
		say_no_route(r, address, add ? "PPP is not up" : "");
		return;
	}
	o = link_start(r->link, UP_ROUTE);
	frame_put_u8(o, add);
	frame_put_str(o, address);
	link_send(r->link);
	link_flush(r->link);
}

void
ppprun_forget(struct ppprun *r)
{
	ppprun_stop(r);
	r->forgotten = true;
}

bool
ppprun_busy(const struct ppprun *r)
{
	return r->job != NULL || r->link != NULL;
}

bool
ppprun_way(const struct ppprun *r, struct ppprun_way *way)
{
	if (r->up)
		*way = r->way;
	return r->up;
}
