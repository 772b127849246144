#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "notify_test.h"

/* One sink of a test. */
struct probe {
	struct test *test;
	const struct config_notify *conf;
	struct notify_post *post;
	struct mono since;
};

struct test {
	struct notify_tests *all;
	struct test *next;
	uint32_t task;
	struct probe probes[CONFIG_NOTIFIES_MAX];
	size_t nprobes, open;
	bool failed;
};

struct notify_tests {
	struct notify_posts *posts;
	struct feed *feed;
	struct test *tests;
};

static void
free_test(struct test *t)
{
	struct test **at;

	for (at = &t->all->tests; *at != t; at = &(*at)->next)
		continue;
	*at = t->next;
	for (size_t i = 0; i < t->nprobes; i++)
		notify_post_free(t->probes[i].post);
	free(t);
}

static void
end_test(struct test *t)
{
	feed_done(t->all->feed, t->task, t->failed ? ST_FAILED : ST_OK);
	free_test(t);
}

static void
on_result(void *arg, const struct notify_result *r)
{
	struct probe *p = arg;
	struct test *t = p->test;
	bool sent = r->outcome == NOTIFY_SENT;

	p->post = NULL;
	feed_toldf(t->all->feed, t->task, 1, "%s: %s, %s, %lld ms\n",
	    p->conf->name, sent ? "sent" : "FAILED", r->why,
	    (long long)mono_ms(p->since, mono_now()));
	if (!sent)
		t->failed = true;
	if (--t->open == 0)
		end_test(t);
}

static void
start_test(struct test *t, const struct config *conf, const char *user)
{
	struct notify_message m;

	memset(&m, 0, sizeof(m));
	m.utc_us = stamp_now().utc_us;
	m.severity = NOTIFY_INFO;
	snprintf(m.event, sizeof(m.event), "test");
	snprintf(m.text, sizeof(m.text), "a test, asked for by %.80s", user);
	t->open = t->nprobes;
	for (size_t i = 0; i < t->nprobes; i++) {
		t->probes[i].test = t;
		t->probes[i].since = mono_now();
		t->probes[i].post = notify_post(t->all->posts,
		    t->probes[i].conf, conf->name, &m, on_result,
		    &t->probes[i]);
	}
}

static void
refuse(struct notify_tests *all, const struct feed_task *task, int status,
    const char *text, const char *name)
{
	char safe[64];

	feed_toldf(all->feed, task->id, 2, "%s%s\n", text,
	    str_safe(safe, sizeof(safe), name, strlen(name)));
	feed_done(all->feed, task->id, status);
}

void
notify_tests_run(struct notify_tests *all, const struct config *conf,
    const struct feed_task *task)
{
	const char *name = task->argc > 2 ? task->argv[2] : NULL;
	struct test *t;

	if (task->argc > 3) {
		refuse(all, task, ST_USAGE, "usage: notify test [NAME]", "");
		return;
	}
	t = xcalloc(1, sizeof(*t));
	for (size_t i = 0; i < conf->nnotifies; i++) {
		if (name == NULL || strcmp(name, conf->notifies[i].name) == 0)
			t->probes[t->nprobes++].conf = &conf->notifies[i];
	}
	if (t->nprobes == 0) {
		free(t);
		refuse(all, task, ST_FAILED, name == NULL ? "oobd: there is "
		    "no notify section: see oobd.conf(5)" :
		    "oobd: there is no notify section ",
		    name == NULL ? "" : name);
		return;
	}
	t->all = all;
	t->task = task->id;
	t->next = all->tests;
	all->tests = t;
	start_test(t, conf, task->user);
}

void
notify_tests_gone(struct notify_tests *all, uint32_t task)
{
	for (struct test *t = all->tests; t != NULL; t = t->next) {
		if (t->task == task) {
			free_test(t);
			return;
		}
	}
}

void
notify_tests_stop(struct notify_tests *all)
{
	while (all->tests != NULL) {
		struct test *t = all->tests;

		feed_toldf(all->feed, t->task, 2, "oobd: the configuration "
		    "was reloaded meanwhile, try again\n");
		t->failed = true;
		end_test(t);
	}
}

struct notify_tests *
notify_tests_new(struct notify_posts *posts, struct feed *feed)
{
	struct notify_tests *all = xcalloc(1, sizeof(*all));

	all->posts = posts;
	all->feed = feed;
	return all;
}

void
notify_tests_free(struct notify_tests *all)
{
	struct test *next;

	if (all == NULL)
		return;
	for (struct test *at = all->tests; at != NULL; at = next) {
		next = at->next;
		free_test(at);
	}
	free(all);
}
