#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modem/drill.h"

#include "loop_help.h"
#include "virtual_time.h"

struct bench {
	struct loop *loop;
	struct drill *d;
	struct drill_view view;
	bool stuck;		/* the link does not go down */
	unsigned begins, logins, ends, overs;
	struct drill_result result;
	char why[DRILL_WHY], steps[2000];
};

static void
on_view(void *arg, struct drill_view *v)
{
	struct bench *b = arg;

	*v = b->view;
}

static void
on_begin(void *arg)
{
	struct bench *b = arg;

	b->begins++;
	if (b->view.link == LINKSTATE_IDLE && b->view.why[0] == '\0') {
		b->view.link = LINKSTATE_DIALLING;
		b->view.why = "a drill";
	}
	drill_changed(b->d);
}

static void
on_login(void *arg)
{
	struct bench *b = arg;

	b->logins++;
}

static void
on_end(void *arg)
{
	struct bench *b = arg;

	b->ends++;
	if (!b->stuck)
		b->view.link = LINKSTATE_IDLE;
	drill_changed(b->d);
}

static void
on_step(void *arg, const char *text)
{
	struct bench *b = arg;
	size_t n = strlen(b->steps);

	snprintf(b->steps + n, sizeof(b->steps) - n, "%s|", text);
}

static void
on_over(void *arg, const struct drill_result *r)
{
	struct bench *b = arg;

	b->overs++;
	b->result = *r;
	snprintf(b->why, sizeof(b->why), "%s", r->why);
}

static const struct drill_ops ops = {
	.view = on_view,
	.begin = on_begin,
	.login = on_login,
	.end = on_end,
	.step = on_step,
	.over = on_over,
};

static void
link_is(struct bench *b, enum linkstate_at at, const char *why)
{
	b->view.link = at;
	b->view.why = why;
	b->view.through = at == LINKSTATE_UP;
	drill_changed(b->d);
	loop_for(b->loop, 1000);
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->loop = loop_new();
	b->d = drill_new(b->loop, &ops, b);
	b->view = (struct drill_view){ .link = LINKSTATE_IDLE, .why = "",
	    .follow = true, .failure = "" };
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	drill_free(b->d);
	loop_free(b->loop);
	free(b);
	return 0;
}

static void
to_login(struct bench *b)
{
	drill_start(b->d);
	link_is(b, LINKSTATE_NEGOTIATING, "the modem is connected");
	link_is(b, LINKSTATE_PROVING, "PPP has an address");
	link_is(b, LINKSTATE_RELAYING, "x");
	link_is(b, LINKSTATE_UP, "a relay is through");
	assert_int_equal(drill_at(b->d), DRILL_LOGIN);
	assert_int_equal(b->logins, 1);
}

static void
failed(const struct bench *b, const char *why)
{
	assert_int_equal(drill_at(b->d), DRILL_IDLE);
	assert_int_equal(b->overs, 1);
	assert_int_equal(b->result.how, DRILL_FAILED);
	assert_string_equal(b->why, why);
}

static void
test_good(void **state)
{
	struct bench *b = *state;

	to_login(b);
	drill_logged_in(b->d, true, "1 of 1 lines up");
	assert_int_equal(drill_at(b->d), DRILL_LEAVING);
	loop_for(b->loop, 1000);
	assert_int_equal(b->overs, 1);
	assert_int_equal(b->result.how, DRILL_GOOD);
	assert_false(b->result.taken);
	assert_string_equal(b->why, "1 of 1 lines up");
	assert_int_equal(b->result.ms / 1000, 4);
	assert_int_equal(b->begins, 1);
	assert_int_equal(b->ends, 1);
	assert_string_equal(drill_step(b->d), "");
	assert_non_null(strstr(b->steps, "negotiating: the modem is "
	    "connected|proving: PPP has an address|"));
	/* Nothing that comes later counts. */
	drill_logged_in(b->d, false, "late");
	drill_taken(b->d);
	loop_for(b->loop, 24 * 3600 * 1000);
	assert_int_equal(b->overs, 1);
	/* And the next one begins afresh. */
	b->view.why = "";
	b->logins = 0;
	to_login(b);
}

/* The link tries again by itself; when it gives up, so does the drill. */
static void
test_link_gives_up(void **state)
{
	struct bench *b = *state;

	drill_start(b->d);
	link_is(b, LINKSTATE_FAILED, "E-APN: refused");
	assert_int_equal(drill_at(b->d), DRILL_COMING);
	link_is(b, LINKSTATE_DIALLING, "trying again");
	link_is(b, LINKSTATE_REPORTING, "E-APN: refused");
	failed(b, "E-APN: refused");
}

static void
test_refused_at_once(void **state)
{
	struct bench *b = *state;

	b->view.why = "E-QUOTA: 20 MB of 20 MB";
	drill_start(b->d);
	loop_for(b->loop, 100);
	failed(b, "E-QUOTA: 20 MB of 20 MB");
}

static void
test_relays_fail(void **state)
{
	struct bench *b = *state;

	drill_start(b->d);
	link_is(b, LINKSTATE_RELAYING, "x");
	assert_int_equal(drill_at(b->d), DRILL_COMING);
	b->view.failure = "E-RELAY: cloud: host-key: wrong";
	drill_changed(b->d);
	loop_for(b->loop, 100);
	failed(b, "E-RELAY: cloud: host-key: wrong");
	assert_int_equal(b->ends, 1);
}

static void
test_no_relay_in_time(void **state)
{
	struct bench *b = *state;

	drill_start(b->d);
	link_is(b, LINKSTATE_RELAYING, "x");
	loop_for(b->loop, DRILL_RELAY_MS - 5000);
	assert_int_equal(b->overs, 0);
	loop_for(b->loop, 5000);
	failed(b, "E-RELAY: there is a way, but no relay gets through");
}

static void
test_nobody_follows(void **state)
{
	struct bench *b = *state;

	b->view.follow = false;
	drill_start(b->d);
	link_is(b, LINKSTATE_UP, "no relay follows the link");
	assert_int_equal(b->logins, 0);
	assert_int_equal(b->result.how, DRILL_FAILED);
	assert_memory_equal(b->why, "E-RELAY: ", 9);
}

static void
test_login_fails(void **state)
{
	struct bench *b = *state;

	to_login(b);
	drill_logged_in(b->d, false, "no echo");
	loop_for(b->loop, 100);
	failed(b, "E-LOGIN: no echo");
}

static void
test_login_never_ends(void **state)
{
	struct bench *b = *state;

	to_login(b);
	loop_for(b->loop, DRILL_LOGIN_MS + 1000);
	failed(b, "E-LOGIN: no end of the login");
}

static void
test_lost_during_login(void **state)
{
	struct bench *b = *state;

	to_login(b);
	link_is(b, LINKSTATE_RELAYING, "no relay is through any more");
	failed(b, "E-RELAY: the relay was lost during the login");
	b->overs = 0;
	b->logins = 0;
	b->view.why = "";
	to_login(b);
	link_is(b, LINKSTATE_FAILED, "E-DEAD: the peer is silent");
	failed(b, "E-DEAD: the peer is silent");
}

static void
test_nothing_happens(void **state)
{
	struct bench *b = *state;

	drill_start(b->d);
	loop_for(b->loop, DRILL_MS + 1000);
	failed(b, "E-LATE: no way within 15 minutes");
	assert_int_equal(b->ends, 1);
}

static void
test_does_not_go_down(void **state)
{
	struct bench *b = *state;

	b->stuck = true;
	to_login(b);
	drill_logged_in(b->d, true, "fine");
	loop_for(b->loop, DRILL_LEAVE_MS - 5000);
	assert_int_equal(b->overs, 0);
	loop_for(b->loop, 6000);
	failed(b, "E-DOWN: the link does not go down");
}

/* Who wants the link keeps it, and the drill goes on. */
static void
test_taken(void **state)
{
	struct bench *b = *state;

	drill_start(b->d);
	link_is(b, LINKSTATE_DIALLING, "x");
	drill_taken(b->d);
	link_is(b, LINKSTATE_UP, "a relay is through");
	drill_logged_in(b->d, true, "fine");
	loop_for(b->loop, 100);
	assert_int_equal(b->ends, 0);
	assert_int_equal(b->overs, 1);
	assert_int_equal(b->result.how, DRILL_GOOD);
	assert_true(b->result.taken);
	assert_int_equal(b->view.link, LINKSTATE_UP);
}

/* A failure is one whoever waits for it; an end by somebody is none. */
static void
test_cut(void **state)
{
	struct bench *b = *state;

	drill_start(b->d);
	link_is(b, LINKSTATE_RELAYING, "x");
	drill_taken(b->d);
	link_is(b, LINKSTATE_CLOSING, "alice (ssh) asked for it");
	assert_int_equal(b->overs, 1);
	assert_int_equal(b->result.how, DRILL_CUT);
	assert_string_equal(b->why, "alice (ssh) asked for it");
	b->overs = 0;
	b->view.link = LINKSTATE_IDLE;
	b->view.why = "";
	drill_start(b->d);
	link_is(b, LINKSTATE_DIALLING, "x");
	drill_taken(b->d);
	link_is(b, LINKSTATE_REPORTING, "E-REG: denied");
	failed(b, "E-REG: denied");
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_link_gives_up),
		TEST(test_refused_at_once),
		TEST(test_relays_fail),
		TEST(test_no_relay_in_time),
		TEST(test_nobody_follows),
		TEST(test_login_fails),
		TEST(test_login_never_ends),
		TEST(test_lost_during_login),
		TEST(test_nothing_happens),
		TEST(test_does_not_go_down),
		TEST(test_taken),
		TEST(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
