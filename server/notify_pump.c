#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify_pump.h"

static_assert(CONFIG_NOTIFIES_MAX <= NOTIFY_SINKS_MAX, "a bit per sink");

#define FILE_MAX (2 * 1024 * 1024)
#define SHOWN (NOTIFY_WHY + 160)

/* A sink at work. */
struct outlet {
	struct notify_pump *pump;
	size_t index;
	const struct config_notify *conf;
	struct notify_post *post;	/* NULL: nothing under way */
	uint64_t seq;			/* of what is */
	int64_t sent_us, failed_us;	/* UTC; 0: never */
	char error[NOTIFY_WHY];		/* the last */
	char shown[SHOWN];		/* to status */
};

struct notify_pump {
	struct loop *loop;
	struct notify_posts *posts;
	struct feed *feed;
	const struct config *conf;
	struct notify_queue *queue;
	struct timer *timer;
	struct outlet outlets[NOTIFY_SINKS_MAX];
	size_t noutlets;
	char path[PATH_MAX];
	bool unsaved;			/* said already */
	uint64_t lost;			/* said already */
};

/* The file. */

static void
save(struct notify_pump *p)
{
	char *text = notify_queue_save(p->queue, stamp_now());

	if (text != NULL &&
	    file_replace(p->path, text, strlen(text), 0600) == 0) {
		if (p->unsaved)
			log_info("%s: written again", p->path);
		p->unsaved = false;
	} else if (!p->unsaved) {
		log_errno("%s: a restart would lose what waits", p->path);
		p->unsaved = true;
	}
	free(text);
	if (notify_queue_lost(p->queue) != p->lost)
		log_warn("%llu notifications were given up untold",
		    (unsigned long long)(notify_queue_lost(p->queue) -
		    p->lost));
	p->lost = notify_queue_lost(p->queue);
}

/* A file that cannot be read is kept for people, and done without. */
static void
load(struct notify_pump *p)
{
	char aside[PATH_MAX + 8];
	char *text;
	size_t n;

	text = file_read(p->path, FILE_MAX, &n);
	if (text == NULL && errno == ENOENT)
		return;
	if (text != NULL &&
	    notify_queue_load(p->queue, text, n, stamp_now()) == 0) {
		free(text);
		return;
	}
	if (text == NULL)
		log_errno("%s", p->path);
	free(text);
	snprintf(aside, sizeof(aside), "%s.bad", p->path);
	log_error("%s is not readable: kept as %s, what waited there is not "
	    "told", p->path, aside);
	if (rename(p->path, aside) == -1)
		log_errno("%s", aside);
}

static void
open_file(struct notify_pump *p)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/notify", p->conf->state_dir);
	if (snprintf(p->path, sizeof(p->path), "%s/queue", dir) >=
	    (int)sizeof(p->path))
		p->path[0] = '\0';
	if (dir_make(dir, 0700) == -1)
		log_errno("%s", dir);
	load(p);
}

/* status. */

/* Names are short enough, by the configuration. */
static void
key_of(char key[FEED_KEY], const char *name)
{
	snprintf(key, FEED_KEY, "notify.%.32s", name);
}

static void
show(struct outlet *o)
{
	char key[FEED_KEY], text[SHOWN], when[STAMP_TEXT];
	size_t n = 0, waiting = notify_queue_owed(o->pump->queue, o->index);

	n += (size_t)snprintf(text, sizeof(text), "%s, %zu waiting, ",
	    notify_sink_type(o->conf->type), waiting);
	if (o->sent_us == 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "nothing sent yet");
	else
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "last sent %s", stamp_text(when, o->sent_us));
	if (o->failed_us != 0)
		snprintf(text + n, sizeof(text) - n, ", last error %s: %s",
		    stamp_text(when, o->failed_us), o->error);
	if (strcmp(text, o->shown) == 0)
		return;
	memcpy(o->shown, text, sizeof(text));
	key_of(key, o->conf->name);
	feed_info(o->pump->feed, key, text);
}

static void
unshow(const struct outlet *o, const char *name)
{
	char key[FEED_KEY];

	key_of(key, name);
	feed_info(o->pump->feed, key, "");
}

/* At work. */

static void work(struct notify_pump *);

static void
note_result(struct outlet *o, const struct notify_result *r)
{
	int64_t now = stamp_now().utc_us;

	if (r->outcome == NOTIFY_SENT) {
		o->sent_us = now;
		return;
	}
	if (strcmp(o->error, r->why) != 0 || o->failed_us < o->sent_us)
		log_warn("notify %s: %s", o->conf->name, r->why);
	o->failed_us = now;
	memcpy(o->error, r->why, sizeof(o->error));
}

static void
on_result(void *arg, const struct notify_result *r)
{
	struct outlet *o = arg;
	struct notify_pump *p = o->pump;

	o->post = NULL;
	note_result(o, r);
	notify_queue_result(p->queue, o->index, o->seq, r->outcome,
	    r->retry_ms, mono_now());
	save(p);
	work(p);
}

static void
work(struct notify_pump *p)
{
	const struct notify_message *m;
	bool changed = false;
	int64_t wait, first;

	first = notify_queue_tick(p->queue, stamp_now(), &changed);
	if (changed)
		save(p);
	for (size_t i = 0; i < p->noutlets; i++) {
		struct outlet *o = &p->outlets[i];

		show(o);
		if (o->post != NULL)
			continue;
		m = notify_queue_next(p->queue, i, mono_now(), &wait);
		if (m != NULL) {
			o->seq = m->seq;
			o->post = notify_post(p->posts, o->conf,
			    p->conf->name, m, on_result, o);
		} else if (wait >= 0 && (first < 0 || wait < first)) {
			first = wait;
		}
	}
	if (first < 0)
		timer_stop(p->timer);
	else
		timer_set(p->timer, first);
}

static void
on_time(void *arg)
{
	work(arg);
}

void
notify_pump_add(struct notify_pump *p, const struct notify_event *e)
{
	if (notify_queue_add(p->queue, e, stamp_now()) == NOTIFY_KNOWN)
		return;
	save(p);
	/* Results come from the loop: so does the first attempt. */
	timer_set(p->timer, 0);
}

void
notify_pump_kick(struct notify_pump *p)
{
	notify_queue_kick(p->queue, mono_now());
	timer_set(p->timer, 0);
}

/* Configuration. */

static bool
is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
is_same(const struct config_notify *a, const struct config_notify *b)
{
	if (a->type != b->type || a->nnumbers != b->nnumbers ||
	    !is_same_text(a->url, b->url) ||
	    !is_same_text(a->token_file, b->token_file) ||
	    !is_same_text(a->user_file, b->user_file) ||
	    !is_same_text(a->secret_file, b->secret_file) ||
	    !is_same_text(a->ca_file, b->ca_file) ||
	    !is_same_text(a->command, b->command))
		return false;
	for (size_t i = 0; i < a->nnumbers; i++) {
		if (strcmp(a->numbers[i], b->numbers[i]) != 0)
			return false;
	}
	return true;
}

/* An attempt under way goes on, so that nobody is told twice. */
static void
keep_post(struct outlet *o, struct outlet *old)
{
	if (old->post == NULL || !is_same(o->conf, old->conf))
		return;
	o->post = old->post;
	o->seq = old->seq;
	notify_post_keep(o->post, o->conf, o);
	old->post = NULL;
}

static void
keep_history(struct outlet *o, struct outlet *old, size_t nold,
    char names[][NOTIFY_NAME])
{
	for (size_t i = 0; i < nold; i++) {
		if (strcmp(old[i].conf->name, o->conf->name) == 0)
			keep_post(o, &old[i]);
		if (strcmp(names[i], o->conf->name) != 0)
			continue;
		o->sent_us = old[i].sent_us;
		o->failed_us = old[i].failed_us;
		memcpy(o->error, old[i].error, sizeof(o->error));
		memcpy(o->shown, old[i].shown, sizeof(o->shown));
		names[i][0] = '\0';
	}
}

/* The old ones, and the names of those that status shows. */
static size_t
take_outlets(struct notify_pump *p, struct outlet *old,
    char names[][NOTIFY_NAME])
{
	for (size_t i = 0; i < p->noutlets; i++) {
		snprintf(names[i], NOTIFY_NAME, "%s", p->outlets[i].shown[0] ==
		    '\0' ? "" : p->outlets[i].conf->name);
	}
	memcpy(old, p->outlets, sizeof(p->outlets));
	memset(p->outlets, 0, sizeof(p->outlets));
	return p->noutlets;
}

void
notify_pump_configure(struct notify_pump *p, const struct config *conf)
{
	struct notify_queue_sink sinks[NOTIFY_SINKS_MAX];
	char names[NOTIFY_SINKS_MAX][NOTIFY_NAME];
	struct outlet old[NOTIFY_SINKS_MAX];
	size_t nold = take_outlets(p, old, names);
	bool first = p->conf == NULL;

	p->conf = conf;
	p->noutlets = conf->nnotifies;
	for (size_t i = 0; i < conf->nnotifies; i++) {
		p->outlets[i].pump = p;
		p->outlets[i].index = i;
		p->outlets[i].conf = &conf->notifies[i];
		keep_history(&p->outlets[i], old, nold, names);
		sinks[i].name = conf->notifies[i].name;
		sinks[i].last_resort =
		    notify_sink_carrier(conf->notifies[i].type) ==
		    NOTIFY_BY_SMS;
	}
	for (size_t i = 0; i < nold; i++) {
		notify_post_free(old[i].post);
		if (names[i][0] != '\0')
			unshow(&old[i], names[i]);
	}
	notify_queue_set_sinks(p->queue, sinks, conf->nnotifies, mono_now());
	if (first)
		open_file(p);
	timer_set(p->timer, 0);
}

struct notify_pump *
notify_pump_new(struct loop *loop, struct notify_posts *posts,
    struct feed *feed)
{
	struct notify_pump *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->posts = posts;
	p->feed = feed;
	p->queue = notify_queue_new();
	p->timer = timer_new(loop, on_time, p);
	return p;
}

void
notify_pump_free(struct notify_pump *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->noutlets; i++)
		notify_post_free(p->outlets[i].post);
	notify_queue_free(p->queue);
	timer_free(p->timer);
	free(p);
}
