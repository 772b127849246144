/* What the verbs of the ssh and the modem process answer alike. */
#include "fake_console.h"
#include "server/told.h"

struct peer {
	struct fake *k;
	struct feed *feed;
	json_t *value;
};

static void
on_up(void *arg)
{
	(void)arg;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void
on_task(void *arg, const struct feed_task *t)
{
	struct peer *p = arg;
	int status = t->argc > 1 ? told_json(p->feed, t->id, p->value) :
	    told_usage(p->feed, t);

	feed_done(p->feed, t->id, status);
}

static const struct feed_ops ops = {
	.up = on_up,
	.down = on_down,
	.consoles = on_up,
	.task = on_task,
};

static int
set_up(void **state)
{
	static const char *const names[] = { "gw" };
	struct peer *p = xcalloc(1, sizeof(*p));

	p->k = fake_new(names, 1);
	p->feed = feed_new(p->k->loop, "modem", &ops, p);
	feed_link(p->feed, fake_connect(p->k));
	UNTIL(p->k, feed_is_up(p->feed));
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct peer *p = *state;

	feed_free(p->feed);
	fake_free(p->k);
	free(p);
	return 0;
}

static bool
saw(const struct peer *p, const char *what)
{
	return strstr(p->k->log, what) != NULL;
}

static void
usage(void **state)
{
	struct peer *p = *state;

	fake_task(p->k, 7, "sms", NULL);
	UNTIL(p->k, saw(p, "done 7 "));
	assert_true(saw(p, "told 7 2 usage: sms decode HEX"));
	assert_true(saw(p, "done 7 2\n"));
}

static void
value(void **state)
{
	struct peer *p = *state;

	p->value = json_pack("{s:i}", "tries", 3);
	fake_task(p->k, 7, "link", "status");
	UNTIL(p->k, saw(p, "done 7 "));
	assert_true(saw(p, "told 7 1 {\n  \"tries\": 3\n}"));
	assert_false(saw(p, "told 7 2 "));
	assert_true(saw(p, "done 7 0\n"));
}

/* There was no memory to make it: never nothing, as if all were well. */
static void
no_value(void **state)
{
	struct peer *p = *state;

	p->value = NULL;
	fake_task(p->k, 7, "relay", "status");
	UNTIL(p->k, saw(p, "done 7 "));
	assert_true(saw(p, "told 7 2 oobd: out of memory\n"));
	assert_true(saw(p, "done 7 1\n"));
}

#define WITH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(usage),
		WITH(value),
		WITH(no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
