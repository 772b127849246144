#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "notify_post.h"
#include "notify_run.h"
#include "proto.h"

#define OUT_MAX (256 * 1024)

struct notify_posts {
	struct loop *loop;
	struct notify_sender *sender;
	struct notify_runs *runs;
	struct link *modem;		/* NULL: no modem process */
	bool ppp;			/* there is PPP: */
	struct notify_way way;
	struct notify_post *posts;
	uint32_t last_id;
	void (*changed)(void *arg);
	void *arg;
};

struct notify_post {
	struct notify_posts *all;
	struct notify_post *next;
	const struct config_notify *conf;
	char *box;
	struct notify_message m;
	bool by_ppp;			/* the second attempt */
	struct notify_send *send;
	struct notify_run *run;
	struct timer *timer;		/* SMS: not answered; or: at once */
	uint32_t first_id;		/* SMS: of the first number */
	size_t waiting, taken;		/* SMS: numbers */
	struct notify_result result;
	notify_post_fn *done;
	void *arg;
};

void
notify_post_free(struct notify_post *p)
{
	struct notify_post **at;

	if (p == NULL)
		return;
	for (at = &p->all->posts; *at != p; at = &(*at)->next)
		continue;
	*at = p->next;
	notify_send_free(p->send);
	notify_run_free(p->run);
	timer_free(p->timer);
	free(p->box);
	free(p);
}

static void
finish(struct notify_post *p)
{
	struct notify_result result = p->result;
	notify_post_fn *done = p->done;
	void *arg = p->arg;

	notify_post_free(p);
	done(arg, &result);
}

static void
fail(struct notify_post *p, const char *why)
{
	p->result = (struct notify_result){ NOTIFY_FAILED, -1, "" };
	strncat(p->result.why, why, sizeof(p->result.why) - 1);
	finish(p);
}

/* HTTP. */

static void start_http(struct notify_post *);

static void
on_answer(void *arg, const struct notify_answer *a)
{
	struct notify_post *p = arg;

	p->send = NULL;
	/* Nothing was sent, so that nothing can come twice. */
	if (!a->sent && !p->by_ppp && p->all->ppp) {
		log_debug("%s: %s; over PPP now", p->conf->name, a->why);
		p->by_ppp = true;
		start_http(p);
		return;
	}
	notify_sink_judge(p->conf->type, a, &p->result);
	finish(p);
}

static void
on_at_once(void *arg)
{
	finish(arg);
}

static void
start_http(struct notify_post *p)
{
	static const struct notify_way any = { .interface = "" };
	struct notify_request r = { .url = NULL };

	if (notify_sink_request(p->conf, p->box, &p->m, stamp_now().utc_us,
	    &r, &p->result) == -1) {
		notify_request_wipe(&r);
		p->timer = timer_new(p->all->loop, on_at_once, p);
		timer_set(p->timer, 0);
		return;
	}
	if (p->by_ppp)
		r.limit_ms = NOTIFY_PPP_MS;
	p->send = notify_send(p->all->sender, &r, p->by_ppp ? &p->all->way :
	    &any, on_answer, p);
}

/* A program. */

static void
on_exit_status(void *arg, int status, const char *why)
{
	struct notify_post *p = arg;

	p->run = NULL;
	notify_sink_judge_exit(status, why, &p->result);
	finish(p);
}

static void
start_exec(struct notify_post *p)
{
	char **env = notify_sink_environment(p->conf, p->box, &p->m);
	char *line = notify_sink_text(p->box, &p->m);
	char *text = xasprintf("%s\n", line);

	p->run = notify_run(p->all->runs, p->conf->name,
	    (const char *const *)env, text, on_exit_status, p);
	free(text);
	free(line);
	for (size_t i = 0; env[i] != NULL; i++)
		free(env[i]);
	free(env);
}

void
notify_posts_up(struct notify_posts *all, struct link *up)
{
	notify_runs_link(all->runs, up);
}

void
notify_posts_sink(struct notify_posts *all, uint32_t request, int fd)
{
	notify_runs_take(all->runs, request, fd);
}

/* SMS. */

static void
on_no_modem(void *arg)
{
	fail(arg, "the modem process does not answer");
}

static void
on_modem_away(void *arg)
{
	fail(arg, "the modem process is being restarted");
}

static void
start_sms(struct notify_post *p)
{
	struct notify_posts *all = p->all;
	struct frame_out *o;
	char *text;

	p->timer = timer_new(all->loop, all->modem == NULL ? on_modem_away :
	    on_no_modem, p);
	timer_set(p->timer, all->modem == NULL ? 0 : NOTIFY_SMS_MS);
	if (all->modem == NULL)
		return;
	text = notify_sink_text(p->box, &p->m);
	p->first_id = all->last_id + 1;
	for (size_t i = 0; i < p->conf->nnumbers; i++) {
		o = link_start(all->modem, NT_SMS);
		frame_put_u32(o, ++all->last_id);
		frame_put_str(o, p->conf->numbers[i]);
		frame_put_str(o, text);
		link_send(all->modem);
		p->waiting++;
	}
	link_flush(all->modem);
	free(text);
}

static struct notify_post *
waits_for(struct notify_posts *all, uint32_t id)
{
	struct notify_post *p;

	for (p = all->posts; p != NULL; p = p->next) {
		if (p->first_id != 0 && id - p->first_id <
		    p->conf->nnumbers)
			break;
	}
	return p;
}

/* One number's answer.  It is told when it is to one of them. */
static int
on_sms_done(struct notify_posts *all, struct frame *f)
{
	uint32_t id = frame_u32(f);
	uint8_t how = frame_u8(f);
	char why[NOTIFY_WHY];
	struct notify_post *p;

	frame_str(f, why, sizeof(why));
	if (!frame_ok(f) || how > NT_SMS_LATER)
		return -1;
	p = waits_for(all, id);
	if (p == NULL || p->waiting == 0)
		return 0;
	if (how == NT_SMS_TAKEN) {
		p->taken++;
		p->result.outcome = NOTIFY_SENT;
	} else if (p->taken == 0) {
		p->result.outcome = how == NT_SMS_REFUSED ? NOTIFY_REFUSED :
		    NOTIFY_FAILED;
	}
	/* It is shown to people. */
	if (how != NT_SMS_TAKEN || p->taken == 1)
		str_safe(p->result.why, sizeof(p->result.why), why,
		    strlen(why));
	p->result.retry_ms = -1;
	if (--p->waiting == 0)
		finish(p);
	return 0;
}

/* The link to the modem process. */

/* A host that is reached over PPP needs a route where nothing else binds. */
static void
on_route(void *arg, const char *addresses)
{
	struct notify_posts *all = arg;

	if (all->modem == NULL)
		return;
	frame_put_str(link_start(all->modem, WY_ROUTE), addresses);
	link_send(all->modem);
	link_flush(all->modem);
}

/* Which way there is: only PPP is news, all else is where routes lead. */
static int
on_way(struct notify_posts *all, struct frame *f)
{
	struct notify_way way;
	uint8_t kind = frame_u8(f);
	bool had = all->ppp;

	memset(&way, 0, sizeof(way));
	frame_str(f, way.interface, sizeof(way.interface));
	frame_str(f, way.local, sizeof(way.local));
	frame_str(f, way.servers, sizeof(way.servers));
	if (!frame_ok(f) || kind > WAY_PPP)
		return -1;
	way.route = on_route;
	way.arg = all;
	all->ppp = kind == WAY_PPP;
	all->way = way;
	if (all->ppp && !had)
		all->changed(all->arg);
	return 0;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	if (fd != -1) {
		close(fd);
		return -1;
	}
	switch (f->type) {
	case WY_LINK:
		return on_way(arg, f);
	case NT_SMS_DONE:
		return on_sms_done(arg, f);
	}
	return -1;
}

static void
drop_modem(struct notify_posts *all)
{
	struct notify_post *next;

	link_free(all->modem);
	all->modem = NULL;
	all->ppp = false;
	for (struct notify_post *p = all->posts; p != NULL; p = next) {
		next = p->next;
		if (p->waiting == 0)
			continue;
		/* Not from here: the list may change under us. */
		p->waiting = 0;
		timer_free(p->timer);
		p->timer = timer_new(all->loop, on_modem_away, p);
		timer_set(p->timer, 0);
	}
}

static void
on_down(void *arg, const char *why)
{
	log_debug("modem process: %s", why);
	drop_modem(arg);
}

static const struct link_ops link_ops = {
	.frame = on_frame,
	.down = on_down,
};

void
notify_posts_modem(struct notify_posts *all, int fd)
{
	drop_modem(all);
	all->modem = link_new(all->loop, fd, OUT_MAX, &link_ops, all);
}

/* Posts. */

struct notify_post *
notify_post(struct notify_posts *all, const struct config_notify *conf,
    const char *box, const struct notify_message *m, notify_post_fn *done,
    void *arg)
{
	struct notify_post *p = xcalloc(1, sizeof(*p));

	p->all = all;
	p->conf = conf;
	p->box = xstrdup(box);
	p->m = *m;
	p->done = done;
	p->arg = arg;
	p->next = all->posts;
	all->posts = p;
	switch (notify_sink_carrier(conf->type)) {
	case NOTIFY_BY_HTTP:
		start_http(p);
		break;
	case NOTIFY_BY_EXEC:
		start_exec(p);
		break;
	case NOTIFY_BY_SMS:
		start_sms(p);
		break;
	}
	return p;
}

void
notify_post_keep(struct notify_post *p, const struct config_notify *conf,
    void *arg)
{
	p->conf = conf;
	p->arg = arg;
}

struct notify_posts *
notify_posts_new(struct loop *loop, void (*changed)(void *), void *arg)
{
	struct notify_posts *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->changed = changed;
	all->arg = arg;
	all->sender = notify_sender_new(loop);
	if (all->sender == NULL) {
		free(all);
		return NULL;
	}
	all->runs = notify_runs_new(loop);
	return all;
}

void
notify_posts_free(struct notify_posts *all)
{
	struct notify_post *next;

	if (all == NULL)
		return;
	for (struct notify_post *at = all->posts; at != NULL; at = next) {
		next = at->next;
		notify_post_free(at);
	}
	link_free(all->modem);
	notify_sender_free(all->sender);
	notify_runs_free(all->runs);
	free(all);
}
