/*
 * The system's own hotplug; serial_hotplug_poll_test.c runs the same tests
 * over the one that polls.
 */
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "serial/hotplug.h"
#include "serial/port.h"

#define SOON_MS 1000

struct site {
	struct loop *loop;
	struct hotplug *hotplug;
	struct timer *act, *end;
	void (*action)(struct site *);
	struct mono acted, seen;
	const char *waits_for;
	unsigned calls;
	bool found;
	char dir[64], path[128];
};

static void
on_changed(void *arg)
{
	struct site *s = arg;

	s->calls++;
	if (s->waits_for == NULL || !port_present(s->waits_for))
		return;
	s->found = true;
	s->seen = mono_now();
	loop_stop(s->loop, 0);
}

static void
on_act(void *arg)
{
	struct site *s = arg;

	s->acted = mono_now();
	s->action(s);
}

static void
on_end(void *arg)
{
	struct site *s = arg;

	loop_stop(s->loop, 1);
}

static int
setup(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	strcpy(s->dir, "/tmp/oobd-hotplug-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		return -1;
	s->loop = loop_new();
	s->hotplug = hotplug_new(s->loop, on_changed, s);
	s->act = timer_new(s->loop, on_act, s);
	s->end = timer_new(s->loop, on_end, s);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct site *s = *state;
	char cmd[128];
	int ret;

	hotplug_free(s->hotplug);
	timer_free(s->act);
	timer_free(s->end);
	loop_free(s->loop);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", s->dir);
	ret = system(cmd);
	free(s);
	return ret;
}

/* Do it after 50 ms; run until seen, at most limit ms. */
static void
run(struct site *s, void (*action)(struct site *), int64_t limit)
{
	s->found = false;
	s->calls = 0;
	s->action = action;
	timer_set(s->act, 50);
	timer_set(s->end, limit);
	loop_run(s->loop);
}

static void
make_link(struct site *s)
{
	assert_int_equal(symlink("/dev/null", s->path), 0);
}

static void
make_dir_and_link(struct site *s)
{
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/serial", s->dir);
	mkdir(dir, 0700);
	snprintf(dir, sizeof(dir), "%s/serial/by-id", s->dir);
	mkdir(dir, 0700);
	make_link(s);
}

static void
remove_all(struct site *s)
{
	char path[128];

	unlink(s->path);
	snprintf(path, sizeof(path), "%s/serial/by-id", s->dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/serial", s->dir);
	rmdir(path);
}

static void
assert_seen(const struct site *s)
{
	assert_true(s->found);
	assert_true(mono_ms(s->acted, s->seen) >= 0);
	assert_true(mono_ms(s->acted, s->seen) < SOON_MS);
}

static void
test_a_link_appears_again_and_again(void **state)
{
	struct site *s = *state;
	unsigned i;

	snprintf(s->path, sizeof(s->path), "%s/gw", s->dir);
	s->waits_for = s->path;
	hotplug_add_dir(s->hotplug, s->dir);
	hotplug_want(s->hotplug, true);
	for (i = 0; i < 3; i++) {
		run(s, make_link, 2000);
		assert_seen(s);
		assert_int_equal(unlink(s->path), 0);
	}
}

static void
test_folders_that_come_and_go(void **state)
{
	struct site *s = *state;
	unsigned i;

	snprintf(s->path, sizeof(s->path), "%s/serial/by-id/gw", s->dir);
	s->waits_for = s->path;
	hotplug_add_path(s->hotplug, s->path);
	hotplug_want(s->hotplug, true);
	for (i = 0; i < 3; i++) {
		run(s, make_dir_and_link, 2000);
		assert_seen(s);
		run(s, remove_all, 200);
		assert_false(s->found);
	}
}

static void
test_what_a_link_leads_to(void **state)
{
	struct site *s = *state;
	char link[128], dir[96];

	snprintf(dir, sizeof(dir), "%s/target", s->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(link, sizeof(link), "%s/gw", s->dir);
	assert_int_equal(symlink("target/tty", link), 0);
	snprintf(s->path, sizeof(s->path), "%s/tty", dir);
	s->waits_for = link;
	hotplug_add_path(s->hotplug, link);
	hotplug_want(s->hotplug, true);
	run(s, make_link, 2000);
	assert_seen(s);
}

static void
test_quiet_when_nobody_waits(void **state)
{
	struct site *s = *state;

	snprintf(s->path, sizeof(s->path), "%s/gw", s->dir);
	hotplug_add_dir(s->hotplug, s->dir);
	run(s, make_link, 800);
	assert_int_equal(s->calls, 0);
	unlink(s->path);
	hotplug_want(s->hotplug, true);
	hotplug_want(s->hotplug, false);
	run(s, make_link, 800);
	assert_int_equal(s->calls, 0);
}

static void
churn(struct site *s)
{
	unsigned i;

	for (i = 0; i < 200; i++) {
		make_link(s);
		unlink(s->path);
	}
}

static void
test_a_storm_costs_few_calls(void **state)
{
	struct site *s = *state;

	snprintf(s->path, sizeof(s->path), "%s/gw", s->dir);
	hotplug_add_dir(s->hotplug, s->dir);
	hotplug_want(s->hotplug, true);
	run(s, churn, 700);
	assert_true(s->calls >= 1);
	assert_true(s->calls < 40);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_link_appears_again_and_again),
		TEST(test_folders_that_come_and_go),
		TEST(test_what_a_link_leads_to),
		TEST(test_quiet_when_nobody_waits),
		TEST(test_a_storm_costs_few_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
