/*
 * The process that runs PPP, with a PPP and a system of the test's: what it
 * tells, and what it takes back, whatever ends first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/loop.h"
#include "server/proto.h"
#include "tests/skewed_time.h"
#include "tests/world.h"

static int test_loop_run(struct loop *);
static void test_loop_stop(struct loop *, int);

#undef fail			/* cmocka's; the job has one, too */
#define loop_run test_loop_run
#define loop_stop test_loop_stop
#include "fake_ppp.h"
#undef loop_run
#undef loop_stop

#define PATIENCE 40		/* turns, of half a second */

static struct {
	struct loop *loop;
	void (*script)(void);
	int up;			/* the supervisor's end, -1: it is gone */
	bool over;
	enum ppp_state state;
	char failure[64], text[512], route[512];
} w;

static void
test_loop_stop(struct loop *loop, int status)
{
	w.over = true;
	loop_stop(loop, status);
}

static void
hear(void)
{
	uint8_t in[65536];
	char word[512];
	struct frame f;
	size_t at = 0, used, n;

	if (w.up == -1)
		return;
	n = world_receive(w.up, in, sizeof(in), NULL);
	while (frame_parse(in + at, n - at, &f, &used) == 1) {
		at += used;
		if (f.type == SV_ROUTE) {
			frame_str(&f, word, sizeof(word));
			frame_str(&f, w.route, sizeof(w.route));
		} else {
			assert_int_equal(f.type, SV_PPP);
			w.state = (enum ppp_state)frame_u8(&f);
			for (int i = 0; i < 4; i++)
				frame_str(&f, word, sizeof(word));
			frame_str(&f, w.failure, sizeof(w.failure));
			frame_str(&f, w.text, sizeof(w.text));
		}
		assert_true(frame_ok(&f));
	}
	assert_int_equal(at, n);
}

/* Half a second. */
static void
turn(void)
{
	skew_us += 500000;
	for (int i = 0; i < 3 && !w.over; i++) {
		loop_for(w.loop, 0);
		hear();
		if (fake.ended && !w.over)
			fake_signal_now(SIGCHLD);
	}
}

static int
test_loop_run(struct loop *loop)
{
	w.loop = loop;
	turn();
	w.script();
	for (int i = 0; i < PATIENCE && !w.over; i++)
		turn();
	assert_true(w.over);
	return 0;
}

/* What it is told. */

static void
run_ppp(bool everywhere)
{
	struct frame_out *o = world_start(PJ_RUN);
	int pair[2];

	frame_put_u32(o, 600);
	frame_put_u32(o, 900);
	frame_put_u32(o, 60);
	frame_put_u8(o, everywhere);
	frame_put_str(o, "user");
	frame_put_str(o, "");
	frame_put_u32(o, 0);
	frame_put_str(o, "");
	world_pair(pair);
	world_say_fd(w.up, PJ_RUN, o->block + FRAME_HEAD,
	    o->len - FRAME_HEAD, pair[0]);
	close(pair[0]);
	close(pair[1]);
	turn();
	assert_true(fake.runs);
	assert_int_equal(w.state, PPP_NEGOTIATING);
}

static void
bring_up(bool everywhere)
{
	static const char said[] = "Using interface ppp0\n"
	    "local  IP address 192.0.2.1\nremote IP address 192.0.2.2\n";

	run_ppp(everywhere);
	assert_int_equal(write(fake.says, said, strlen(said)), strlen(said));
	fake.interface = (struct route_interface){ .exists = true, .up = true,
	    .local = "192.0.2.1", .peer = "192.0.2.2" };
	for (int i = 0; i < 4; i++)
		turn();
	assert_int_equal(w.state, PPP_UP);
}

static void
route(bool add, const char *address)
{
	struct frame_out *o = world_start(UP_ROUTE);

	frame_put_u8(o, add);
	frame_put_str(o, address);
	world_send(w.up, o);
	strcpy(w.route, "no answer");
	turn();
}

static void
lose_supervisor(void)
{
	close(w.up);
	w.up = -1;
	turn();
}

static void
check(void (*script)(void))
{
	char run_dir[WORLD_DIR + 8], *argv[] = { (char[]){ "run" }, run_dir };
	int pair[2];

	fake_begin();
	memset(&w, 0, sizeof(w));
	w.script = script;
	snprintf(run_dir, sizeof(run_dir), "%s", world_dir);
	world_pair(pair);
	w.up = pair[0];
	assert_int_equal(pppjob_main(pair[1], 2, argv), 0);
	assert_true(fake_is_clean());
	if (w.up != -1)
		close(w.up);
}

/* Scripts. */

static void
stop_when_asked(void)
{
	bring_up(true);
	route(true, "192.0.2.9");
	assert_string_equal(w.route, "");
	assert_true(fake.all);
	assert_int_equal(fake.nroutes, 1);
	world_say(w.up, UP_PPP_STOP, NULL, 0);
	turn();
	fake.interface.exists = false;
	turn();
	assert_true(w.over);
	assert_int_equal(w.state, PPP_ENDED);
	assert_string_equal(w.failure, "");
}

/* It has, its interface not yet: no route is taken any more. */
static void
route_at_the_end(void)
{
	bring_up(false);
	fake_end(5 << 8);
	skew_us -= 500000;
	turn();
	assert_false(w.over);
	route(true, "192.0.2.9");
	assert_string_equal(w.route, "PPP is not up");
	fake.interface.exists = false;
}

/* It ends, and the supervisor right behind: nothing is taken back twice. */
static void
end_by_itself(void)
{
	bring_up(true);
	route(true, "192.0.2.9");
	fake_end(5 << 8);
	skew_us -= 500000;	/* its interface is still there */
	turn();
	assert_false(w.over);
	assert_false(fake.all);
	assert_int_equal(fake.nroutes, 0);
	lose_supervisor();
	fake.interface.exists = false;
}

static void
kill_stubborn(void)
{
	bring_up(false);
	route(true, "192.0.2.9");
	fake.stubborn = true;
	lose_supervisor();
	assert_true(fake.runs);
	assert_int_equal(fake.nroutes, 0);
}

static void
fail_before(void)
{
	run_ppp(false);
	route(true, "192.0.2.9");
	assert_string_equal(w.route, "PPP is not up");
	fake_end(19 << 8);
	for (int i = 0; i < 4; i++)
		turn();
	assert_int_equal(w.state, PPP_ENDED);
	assert_string_equal(w.failure, "E-AUTH");
}

/* Tests. */

static void
stopped(void **state)
{
	(void)state;
	check(stop_when_asked);
}

static void
taken_back_once(void **state)
{
	(void)state;
	check(end_by_itself);
}

static void
none_at_the_end(void **state)
{
	(void)state;
	check(route_at_the_end);
}

static void
killed(void **state)
{
	(void)state;
	check(kill_stubborn);
	assert_false(fake.runs);
}

static void
failed(void **state)
{
	(void)state;
	check(fail_before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopped),
		cmocka_unit_test(taken_back_once),
		cmocka_unit_test(none_at_the_end),
		cmocka_unit_test(killed),
		cmocka_unit_test(failed),
	};

	world_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
