/* Openers that end before they have answered, or after. */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_help.h"
#include "fake_children.h"
#include "server/keeper.h"
#include "server/proto.h"
#include "tests/world.h"

static struct loop *loop;

static struct {
	struct config *conf;
	struct keeper *keeper;
	unsigned tried;
} w;

static struct link *
no_console(void *arg)
{
	(void)arg;
	return NULL;
}

static void
on_tried(void *arg)
{
	(void)arg;
	w.tried++;
}

static void
settle(void)
{
	world_turn(loop);
}

static const struct keeper_ops ops = { no_console, on_tried };

static int
begin(void **state)
{
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "name = box\nservice_user = nobody\n"
	    "run_dir = \"%s\"\n"
	    "console gw { device = \"/dev/null\" ring = 65536 }\n", dir);
	w.conf = good(text);
	w.tried = 0;
	w.keeper = keeper_new(loop, NULL, &ops, NULL);
	assert_int_equal(keeper_set(w.keeper, w.conf, getuid(), getgid()), 0);
	settle();
	assert_string_equal(fake_last->role, "opener");
	assert_true(fake_last->runs);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	keeper_free(w.keeper);
	drop_jobs();
	config_free(w.conf);
	return 0;
}

static void
answer(uint16_t type, const char *why)
{
	struct frame_out *o = xmalloc(sizeof(*o));

	frame_start(o, type);
	frame_put_str(o, why);
	assert_int_equal(frame_finish(o, 0), 0);
	assert_int_equal(write(fake_last->fd, o->block, o->len), o->len);
	free(o);
}

/* What it was is gone by the time its link is found to have ended. */
static void
one_that_dies(void **state)
{
	unsigned cancelled = fake_cancelled;

	(void)state;
	end_job(fake_last);
	assert_int_equal(w.tried, 0);
	settle();
	assert_int_equal(w.tried, 1);
	assert_int_equal(fake_cancelled, cancelled);
}

static void
one_that_dies_with_its_line_removed(void **state)
{
	struct config *none = good("name = box\nservice_user = nobody\n"
	    "console sw { device = \"/dev/null\" }\n");

	(void)state;
	free(none->run_dir);
	none->run_dir = xstrdup(dir);
	end_job(fake_last);
	assert_int_equal(keeper_set(w.keeper, none, getuid(), getgid()), 0);
	assert_false(keeper_has(w.keeper, "gw"));
	settle();
	config_free(none);
}

/* Nobody waits for its end, or hears of it. */
static void
one_that_answered(void **state)
{
	unsigned cancelled = fake_cancelled;
	struct job *j = fake_last;

	(void)state;
	answer(SV_TTY_FAILED, "no such device");
	settle();
	assert_int_equal(w.tried, 1);
	assert_false(j->runs);
	assert_int_equal(fake_cancelled, cancelled + 1);
	keeper_close(w.keeper, "gw");
	assert_int_equal(fake_cancelled, cancelled + 1);
}

/* One that answers what no opener does is ended, and the line tried again. */
static void
one_that_talks_nonsense(void **state)
{
	unsigned cancelled = fake_cancelled;

	(void)state;
	answer(SV_TTY, "");		/* without a descriptor */
	settle();
	assert_int_equal(w.tried, 1);
	assert_int_equal(fake_cancelled, cancelled + 1);
	keeper_close(w.keeper, "gw");
	keeper_open(w.keeper, "gw");
	settle();
	assert_true(fake_last->runs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(one_that_dies),
		T(one_that_dies_with_its_line_removed),
		T(one_that_answered),
		T(one_that_talks_nonsense),
	};

	loop = loop_new();
	log_open(NULL, LOG_TO_SYSLOG, false);
	return cmocka_run_group_tests(tests, make_dir, NULL);
}
