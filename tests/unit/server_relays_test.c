/* The ssh process's end of its link to the modem process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/relays.h"
#include "tests/world.h"

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

static const struct feed_ops ops = { .up = nothing, .down = on_down,
    .consoles = nothing };

/* One that comes with what needs none is closed: it ends the link. */
static void
no_descriptor_is_left(void **state)
{
	static const uint8_t way[7] = { WAY_DOWN };
	struct loop *loop = loop_new();
	struct feed *feed = feed_new(loop, "ssh", &ops, NULL);
	struct relays *all = relays_new(loop, feed);
	unsigned before;
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	relays_link(all, pair[0]);
	world_turn(loop);
	before = world_fds();
	world_say(pair[1], WY_LINK, way, sizeof(way));
	world_turn(loop);
	assert_int_equal(world_fds(), before);
	world_say_fd(pair[1], WY_LINK, way, sizeof(way), 0);
	world_turn(loop);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(world_fds(), before - 1);
	close(pair[1]);
	relays_free(all);
	feed_free(feed);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
