/*
 * The verbs of relays: "relay status", "relay test", "ssh-config".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "relays_internal.h"
#include "told.h"

#define TEST_MS 120000
#define TESTS_MAX 16		/* that wait at a time */

/* status */

static json_t *
time_json(int64_t utc_us)
{
	char text[STAMP_TEXT];

	if (utc_us == 0)
		return json_null();
	return json_string(stamp_text(text, utc_us));
}

static json_t *
listens_json(const struct relay_view *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->nlistens; i++) {
		const struct relay_view_listen *l = &v->listens[i];
		const char *colon = strrchr(l->asked, ':');
		char bound[320];

		snprintf(bound, sizeof(bound), "%.*s:%u", colon == NULL ? 0 :
		    (int)(colon - l->asked), l->asked, l->bound);
		json_array_append_new(list, json_pack("{s:s, s:s*, s:s, s:o}",
		    "asked", l->asked, "bound", l->bound == 0 ? NULL : bound,
		    "tested", relay_tested_text(l->tested),
		    "tested_at", time_json(l->tested_us)));
	}
	return list;
}

static json_t *
relay_json(const struct relays_one *one)
{
	const struct config_relay *c = one->conf;
	const struct relay *r = one->relay;
	struct relay_view v;

	relay_view(r, &v);
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:o, s:i, "
	    "s:s, s:s, s:s*, s:s*, s:s*, s:o, s:I, s:o}",
	    "name", c->name, "host", c->host, "port", (int)c->port,
	    "when", c->always ? "always" : "activated",
	    "over", c->ppp_only ? "ppp" : "any",
	    "way", v.by_ppp ? "ppp" : "existing",
	    "state", relay_way_text(relay_way_state(r)),
	    "doing", relay_state_text(relay_state(r)),
	    "since", time_json(v.since_us), "attempts", (int)v.attempts,
	    "failure", relay_failure_text(relay_failure(r)), "text", v.text,
	    "last_error", v.error[0] != '\0' ? v.error : NULL,
	    "fingerprint", v.fingerprint[0] != '\0' ? v.fingerprint : NULL,
	    "address", v.address[0] != '\0' ? v.address : NULL,
	    "listen", listens_json(&v), "channels", (json_int_t)v.channels,
	    "next_try_s", v.next_ms < 0 ? json_null() :
	    json_real((double)v.next_ms / 1000));
}

static int
status_json(struct relays *all, uint32_t task, const char *name)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->n; i++) {
		struct relays_one *one = all->ones[i];

		if (one->named && (name == NULL ||
		    strcmp(one->conf->name, name) == 0))
			json_array_append_new(list, relay_json(one));
	}
	return told_json(all->feed, task, json_pack("{s:o}", "relays", list));
}

static void
listen_text(struct relays *all, uint32_t task,
    const struct relay_view_listen *l)
{
	char bound[32] = "", when[STAMP_TEXT] = "";
	const char *state;

	if (l->bound != 0 && strcmp(l->asked + strlen(l->asked) - 2, ":0") ==
	    0)
		snprintf(bound, sizeof(bound), ", port %u", l->bound);
	if (l->bound == 0) {
		feed_toldf(all->feed, task, 1, "  %s: not listening\n",
		    l->asked);
		return;
	}
	state = relay_tested_text(l->tested);
	if (l->tested != RELAY_UNTESTED)
		stamp_text(when, l->tested_us)[19] = '\0';
	feed_toldf(all->feed, task, 1, "  %s: listening%s, self-test: %s%s%s%s"
	    "\n", l->asked, bound, state, when[0] != '\0' ? " at " : "", when,
	    when[0] != '\0' ? "Z" : "");
}

static void
status_text(struct relays *all, uint32_t task, const struct relays_one *one)
{
	const struct config_relay *c = one->conf;
	const struct relay *r = one->relay;
	char when[STAMP_TEXT], port[16];
	struct relay_view v;

	relay_view(r, &v);
	stamp_text(when, v.since_us)[19] = '\0';
	snprintf(port, sizeof(port), ":%u", c->port);
	feed_toldf(all->feed, task, 1, "%s: %s (%s) since %sZ, %s%s%s%s, %s, "
	    "%zu channel%s\n", c->name, relay_way_text(relay_way_state(r)),
	    relay_state_text(relay_state(r)), when, c->host,
	    v.address[0] != '\0' ? " at " : port, v.address,
	    v.by_ppp ? " over PPP" : "", c->always ? "always" : "activated",
	    v.channels, v.channels == 1 ? "" : "s");
	for (size_t i = 0; i < v.nlistens; i++)
		listen_text(all, task, &v.listens[i]);
	if (v.fingerprint[0] != '\0')
		feed_toldf(all->feed, task, 1, "  host key %s\n",
		    v.fingerprint);
	if (v.text[0] != '\0')
		feed_toldf(all->feed, task, 1, "  %s: %s\n",
		    relay_failure_text(relay_failure(r)), v.text);
	else if (v.error[0] != '\0')
		feed_toldf(all->feed, task, 1, "  last failure: %s\n",
		    v.error);
	if (v.next_ms >= 0)
		feed_toldf(all->feed, task, 1, "  attempt %u in %" PRId64
		    " s\n", v.attempts + 1, (v.next_ms + 999) / 1000);
}

/* What all these have in common: an optional name; -1: it was answered. */
static int
check_name(struct relays *all, uint32_t task, const char *name)
{
	char safe[64];

	if (name != NULL && relays_find(all, name) == NULL) {
		feed_toldf(all->feed, task, 2, "oobd: no relay %s (relay "
		    "status lists them)\n", str_safe(safe, sizeof(safe), name,
		    strlen(name)));
		feed_done(all->feed, task, ST_FAILED);
		return -1;
	}
	return 0;
}

static int
check_any(struct relays *all, uint32_t task)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->ones[i]->named)
			return 0;
	}
	feed_toldf(all->feed, task, 2, "oobd: no relay is configured (see "
	    "relay in oobd.conf(5))\n");
	feed_done(all->feed, task, ST_FAILED);
	return -1;
}

static void
status(struct relays *all, const struct feed_task *t)
{
	const char *name = NULL;
	bool json = false;

	for (int i = 2; i < t->argc; i++) {
		if (strcmp(t->argv[i], "--json") == 0) {
			json = true;
		} else if (name == NULL && t->argv[i][0] != '-') {
			name = t->argv[i];
		} else {
			feed_toldf(all->feed, t->id, 2, "usage: relay status "
			    "[--json] [NAME]\n");
			feed_done(all->feed, t->id, ST_USAGE);
			return;
		}
	}
	if (check_name(all, t->id, name) == -1)
		return;
	if (json) {
		feed_done(all->feed, t->id, status_json(all, t->id, name));
		return;
	}
	if (check_any(all, t->id) == -1)
		return;
	for (size_t i = 0; i < all->n; i++) {
		if (all->ones[i]->named && (name == NULL ||
		    strcmp(all->ones[i]->conf->name, name) == 0))
			status_text(all, t->id, all->ones[i]);
	}
	feed_done(all->feed, t->id, ST_OK);
}

/* test */

static void
free_test(struct relays_test *test)
{
	struct relays_test **at = &test->all->tests;

	while (*at != test)
		at = &(*at)->next;
	*at = test->next;
	timer_free(test->limit);
	free(test);
}

/* All relays were tried? */
static void
check_over(struct relays_test *test)
{
	for (size_t i = 0; i < test->n; i++) {
		if (test->waits[i].one != NULL)
			return;
	}
	feed_done(test->all->feed, test->task, test->failed ? ST_FAILED :
	    ST_OK);
	free_test(test);
}

static void
on_limit(void *arg)
{
	struct relays_test *test = arg;

	for (size_t i = 0; i < test->n; i++) {
		if (test->waits[i].one != NULL)
			feed_toldf(test->all->feed, test->task, 2, "oobd: "
			    "%s: not done within %d s\n",
			    test->waits[i].one->conf->name, TEST_MS / 1000);
	}
	feed_done(test->all->feed, test->task, ST_TIMEOUT);
	free_test(test);
}

static void
show_step(struct relays_test *test, size_t i, enum relay_step step)
{
	const struct relays_one *one = test->waits[i].one;
	const struct relay_step_done *d = relay_step(one->relay, step);

	feed_toldf(test->all->feed, test->task, 1, "%s: %-12s %6" PRId64
	    " ms  %s%s\n", one->conf->name, relay_step_text(step), d->ms,
	    d->good ? "" : "FAILED: ", d->text);
}

void
relays_test_step(struct relays *all, struct relays_one *one,
    enum relay_step step)
{
	for (struct relays_test *t = all->tests; t != NULL; t = t->next) {
		for (size_t i = 0; i < t->n; i++) {
			if (t->waits[i].one == one)
				show_step(t, i, step);
		}
	}
}

void
relays_test_over(struct relays *all, struct relays_one *one, bool good)
{
	struct relays_test *t, *next;

	for (t = all->tests; t != NULL; t = next) {
		next = t->next;
		for (size_t i = 0; i < t->n; i++) {
			if (t->waits[i].one != one)
				continue;
			t->waits[i].one = NULL;
			t->failed = t->failed || !good;
		}
		check_over(t);
	}
}

void
relays_test_forget(struct relays *all, struct relays_one *one)
{
	relays_test_over(all, one, false);
}

void
relays_test_end_all(struct relays *all)
{
	while (all->tests != NULL)
		free_test(all->tests);
}

/* The steps that the present connection took when it was made. */
static void
show_taken(struct relays_test *test, size_t i)
{
	const struct relay *r = test->waits[i].one->relay;

	if (relay_state(r) < RELAY_RESOLVING)
		return;
	for (int step = 0; step < RELAY_STEP_TEST; step++) {
		if (relay_step(r, step)->done)
			show_step(test, i, step);
	}
}

static void
add_wait(struct relays_test *test, struct relays_one *one)
{
	size_t i = test->n++;
	const char *why;

	test->waits[i].one = one;
	show_taken(test, i);
	why = relay_test(one->relay);
	if (why == NULL)
		return;
	feed_toldf(test->all->feed, test->task, 2, "oobd: %s: %s\n",
	    one->conf->name, why);
	test->waits[i].one = NULL;
	test->failed = true;
}

static size_t
count_tests(const struct relays *all)
{
	size_t n = 0;

	for (struct relays_test *t = all->tests; t != NULL; t = t->next)
		n++;
	return n;
}

static void
test_relays(struct relays *all, const struct feed_task *t)
{
	const char *name = t->argc > 2 ? t->argv[2] : NULL;
	struct relays_test *test;

	if (t->argc > 3 || (name != NULL && name[0] == '-')) {
		feed_toldf(all->feed, t->id, 2, "usage: relay test [NAME]\n");
		feed_done(all->feed, t->id, ST_USAGE);
		return;
	}
	if (check_name(all, t->id, name) == -1 || check_any(all, t->id) == -1)
		return;
	if (count_tests(all) >= TESTS_MAX) {
		feed_toldf(all->feed, t->id, 2, "oobd: too many tests at a "
		    "time, try again\n");
		feed_done(all->feed, t->id, ST_FAILED);
		return;
	}
	test = xcalloc(1, sizeof(*test));
	test->all = all;
	test->task = t->id;
	test->limit = timer_new(all->loop, on_limit, test);
	timer_set(test->limit, TEST_MS);
	test->next = all->tests;
	all->tests = test;
	for (size_t i = 0; i < all->n && test->n < CONFIG_RELAYS_MAX; i++) {
		if (all->ones[i]->named && (name == NULL ||
		    strcmp(all->ones[i]->conf->name, name) == 0))
			add_wait(test, all->ones[i]);
	}
	check_over(test);
}

/* Verbs. */

static const struct {
	const char *verb, *word;
	void (*run)(struct relays *, const struct feed_task *);
} verbs[] = {
	{ "relay", "status", status },
	{ "relay", "test", test_relays },
	{ "ssh-config", NULL, relays_ssh_config },
};

void
relays_task(struct relays *all, const struct feed_task *t)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(t->argv[0], verbs[i].verb) == 0 &&
		    (verbs[i].word == NULL || (t->argc > 1 &&
		    strcmp(t->argv[1], verbs[i].word) == 0))) {
			verbs[i].run(all, t);
			return;
		}
	}
	feed_toldf(all->feed, t->id, 2, "usage: relay status [--json] | test "
	    "[NAME]\n");
	feed_done(all->feed, t->id, ST_USAGE);
}

void
relays_task_gone(struct relays *all, uint32_t id)
{
	for (struct relays_test *t = all->tests; t != NULL; t = t->next) {
		if (t->task == id) {
			free_test(t);
			return;
		}
	}
}
