/*
 * The ssh process's end of its link to the modem process; and what is said to
 * who names things that there are not.
 */
#include "fake_console.h"
#include "server/notify_test.h"
#include "server/relays.h"
#include "tests/world.h"

static struct {
	struct fake *k;
	struct feed *feed;
	struct relays *relays;
	struct notify_tests *tests;
} w;

static void
nothing(void *arg)
{
	(void)arg;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

/* The one word that the console process says, as the last of three. */
static void
on_task(void *arg, const struct feed_task *asked)
{
	const struct config none = { .nnotifies = 0 };
	char verb[] = "relay", word[] = "status";
	char *argv[] = { verb, word, asked->argv[0], NULL };
	struct feed_task t = *asked;

	(void)arg;
	t.argc = 3;
	t.argv = argv;
	if (t.id == 1)
		relays_task(w.relays, &t);
	else
		notify_tests_run(w.tests, &none, &t);
}

static const struct feed_ops ops = { .up = nothing, .down = on_down,
    .consoles = nothing, .task = on_task };

static int
set_up(void **state)
{
	static const char *const names[] = { "gw" };

	(void)state;
	w.k = fake_new(names, 1);
	w.feed = feed_new(w.k->loop, "ssh", &ops, NULL);
	w.relays = relays_new(w.k->loop, w.feed);
	w.tests = notify_tests_new(NULL, w.feed);
	feed_link(w.feed, fake_connect(w.k));
	UNTIL(w.k, feed_is_up(w.feed));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	notify_tests_free(w.tests);
	relays_free(w.relays);
	feed_free(w.feed);
	fake_free(w.k);
	return 0;
}

/* One that comes with what needs none is closed: it ends the link. */
static void
no_descriptor_is_left(void **state)
{
	static const uint8_t way[7] = { WAY_DOWN };
	unsigned before;
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	relays_link(w.relays, pair[0]);
	world_turn(w.k->loop);
	before = world_sockets();
	world_say(pair[1], WY_LINK, way, sizeof(way));
	world_turn(w.k->loop);
	assert_int_equal(world_sockets(), before);
	world_say_fd(pair[1], WY_LINK, way, sizeof(way), pair[1]);
	world_turn(w.k->loop);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(world_sockets(), before - 1);
	close(pair[1]);
}

/* A name comes back without what a terminal obeys. */
static void
names_are_shown_safely(void **state)
{
	(void)state;
	fake_task(w.k, 1, "\033[2J\a", NULL);
	fake_task(w.k, 2, "\033[2J\a", NULL);
	UNTIL(w.k, strstr(w.k->log, "done 1 1") != NULL &&
	    strstr(w.k->log, "done 2 1") != NULL);
	assert_non_null(strstr(w.k->log, "no relay \\x1b[2J\\x07 (relay"));
	assert_non_null(strstr(w.k->log, "no notify section \\x1b[2J\\x07\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(no_descriptor_is_left),
		T(names_are_shown_safely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
