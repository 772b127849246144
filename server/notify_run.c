#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "notify_run.h"
#include "proto.h"

#define WAIT_MS (NOTIFY_EXEC_MS + 5000)
#define OUT_MAX 65536
#define WHY_MAX 128
#define ENV_MAX 16

struct notify_runs {
	struct loop *loop;
	struct link *up;
	struct notify_run *first;
	uint32_t last_id;
};

struct notify_run {
	struct notify_runs *all;
	struct notify_run *next;
	uint32_t id;
	char *text, *env[ENV_MAX];
	size_t nenv;
	struct link *link;		/* to the sink; NULL: not yet */
	struct timer *limit;
	notify_exec_fn *done;
	void *arg;
};

struct notify_runs *
notify_runs_new(struct loop *loop)
{
	struct notify_runs *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	return all;
}

void
notify_runs_free(struct notify_runs *all)
{
	free(all);
}

void
notify_runs_link(struct notify_runs *all, struct link *up)
{
	all->up = up;
}

void
notify_run_free(struct notify_run *r)
{
	struct notify_run **at;

	if (r == NULL)
		return;
	for (at = &r->all->first; *at != r; at = &(*at)->next)
		continue;
	*at = r->next;
	link_free(r->link);
	timer_free(r->limit);
	for (size_t i = 0; i < r->nenv; i++)
		free(r->env[i]);
	free(r->text);
	free(r);
}

static void
finish(struct notify_run *r, int status, const char *why)
{
	notify_exec_fn *done = r->done;
	void *arg = r->arg;

	notify_run_free(r);
	done(arg, status, why);
}

static void
on_limit(void *arg)
{
	finish(arg, -1, "took too long and was killed");
}

static void
on_not_started(void *arg)
{
	finish(arg, -1, "cannot be started, see the log");
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	struct notify_run *r = arg;
	int32_t status = (int32_t)frame_u32(f);
	char said[WHY_MAX], why[WHY_MAX];

	frame_str(f, said, sizeof(said));
	if (fd != -1)
		close(fd);
	if (f->type != SK_ENDED || fd != -1 || !frame_ok(f))
		return -1;
	/* It is shown to people. */
	finish(r, status, str_safe(why, sizeof(why), said, strlen(said)));
	return 0;
}

static void
on_down(void *arg, const char *why)
{
	(void)why;
	finish(arg, -1, "its end was not seen");
}

static const struct link_ops ops = {
	.frame = on_frame,
	.down = on_down,
};

static void
ask(struct notify_run *r)
{
	struct frame_out *o = link_start(r->link, SK_RUN);

	frame_put_str(o, r->text);
	frame_put_u8(o, (uint8_t)r->nenv);
	for (size_t i = 0; i < r->nenv; i++)
		frame_put_str(o, r->env[i]);
	link_send(r->link);
	link_flush(r->link);
}

void
notify_runs_take(struct notify_runs *all, uint32_t request, int fd)
{
	struct notify_run *r = all->first;

	while (r != NULL && (r->id != request || r->link != NULL))
		r = r->next;
	if (r == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	if (fd == -1) {
		timer_free(r->limit);
		r->limit = timer_new(all->loop, on_not_started, r);
		timer_set(r->limit, 0);
		return;
	}
	r->link = link_new(all->loop, fd, OUT_MAX, &ops, r);
	ask(r);
}

struct notify_run *
notify_run(struct notify_runs *all, const char *section,
    const char *const *env, const char *text, notify_exec_fn *done, void *arg)
{
	struct notify_run *r = xcalloc(1, sizeof(*r));
	struct frame_out *o;

	r->all = all;
	r->id = ++all->last_id;
	r->text = xstrdup(text);
	if (strlen(r->text) > NOTIFY_EXEC_TEXT)
		r->text[NOTIFY_EXEC_TEXT] = '\0';
	for (; r->nenv < ENV_MAX && env[r->nenv] != NULL; r->nenv++)
		r->env[r->nenv] = xstrdup(env[r->nenv]);
	r->done = done;
	r->arg = arg;
	r->limit = timer_new(all->loop, all->up == NULL ? on_not_started :
	    on_limit, r);
	timer_set(r->limit, all->up == NULL ? 0 : WAIT_MS);
	r->next = all->first;
	all->first = r;
	if (all->up == NULL)
		return r;
	o = link_start(all->up, UP_SINK);
	frame_put_u32(o, r->id);
	frame_put_str(o, section);
	link_send(all->up);
	link_flush(all->up);
	return r;
}
