/*
 * When a relay's forwards are proved, and what follows from it; when the next
 * attempt is made.  The probe itself and the passing of time are the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/log.h"
#include "server/base/loop.h"
#include "server/base/mem.h"
#include "server/feed.h"
#include "server/relay_chan.h"
#include "server/relay_internal.h"
#include "server/relay_key.h"
#include "server/relay_probe.h"

static struct relay_probe *test_probe_new(struct relay *,
    const struct relay_listen *, const struct relay_probe_conf *);
static void test_probe_free(struct relay_probe *);
static void test_timer_set(struct timer *, int64_t);
static void test_keepalive(struct relay *);

#define ROUNDS 64	/* none of so many throws is above the half: 2^-64 */

#define relay_probe_new test_probe_new
#define relay_probe_free test_probe_free
#define timer_set test_timer_set
#define relay_session_keepalive test_keepalive

#include "server/relay.c"

static struct {
	struct relay *r;
	const char *probed;	/* the listen of the last probe */
	int probes;		/* under way */
	int64_t again_ms;	/* the next round of them, -1: not set */
	char kinds[256];	/* of events, each with a blank behind */
	int tested_good, tested_bad;
	int asked;		/* for a sign of life */
	int begun;		/* attempts */
} world;

static struct relay_probe *
test_probe_new(struct relay *r, const struct relay_listen *l,
    const struct relay_probe_conf *conf)
{
	assert_ptr_equal(r, world.r);
	assert_null(conf->key);		/* it logs in nowhere */
	world.probed = l->asked;
	world.probes++;
	return (struct relay_probe *)&world;
}

static void
test_probe_free(struct relay_probe *p)
{
	if (p != NULL)
		world.probes--;
}

static void
test_timer_set(struct timer *t, int64_t ms)
{
	if (world.r != NULL && t == world.r->probe_again)
		world.again_ms = ms;
}

static void
test_keepalive(struct relay *r)
{
	assert_ptr_equal(r, world.r);
	world.asked++;
}

static void
on_changed(void *arg, struct relay *r)
{
	(void)arg;
	(void)r;
}

static void
on_step(void *arg, struct relay *r, enum relay_step step)
{
	(void)arg;
	(void)r;
	(void)step;
}

static void
on_tested(void *arg, struct relay *r, bool good)
{
	(void)arg;
	(void)r;
	if (good)
		world.tested_good++;
	else
		world.tested_bad++;
}

static void
on_event(void *arg, const char *kind, const char *text)
{
	size_t n = strlen(world.kinds);

	(void)arg;
	(void)text;
	snprintf(world.kinds + n, sizeof(world.kinds) - n, "%s ", kind);
}

static void
on_wake(void *arg)
{
	(void)arg;
}

static const struct relay_ops ops = {
	.changed = on_changed,
	.step = on_step,
	.tested = on_tested,
	.event = on_event,
	.wake = on_wake,
};

/* What an attempt begins with, and all that comes of it here. */
static void
on_want_key(void *arg, const char *path)
{
	(void)arg;
	(void)path;
	world.begun++;
}

struct fixture {
	struct relay_world w;
	struct config_relay conf;
	char *listen[2];
	struct feed *feed;	/* of those that want one */
};

/* Forwarded just now. */
static void
set_up(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	memset(&world, 0, sizeof(world));
	world.again_ms = -1;
	f->w.loop = loop_new();
	f->listen[0] = xstrdup("localhost:31337");
	f->listen[1] = xstrdup("localhost:31338");
	f->conf = (struct config_relay){ .name = xstrdup("r"), .always = true,
	    .listen = f->listen, .nlisten = 2, .keepalive_ms = 20000,
	    .keepalive_count = 3 };
	world.r = relay_new(&f->w, &f->conf, &ops, NULL);
	read_listens(world.r);
	for (size_t i = 0; i < world.r->nlistens; i++)
		world.r->listens[i].bound = world.r->listens[i].port;
	relay_is_forwarded(world.r);
	assert_int_equal(world.r->state, RELAY_PROVING);
	assert_int_equal(world.probes, 1);
}

static void
tear_down(struct fixture *f)
{
	relay_free(world.r);
	assert_int_equal(world.probes, 0);
	world.r = NULL;
	loop_free(f->w.loop);
	free(f->conf.name);
	free(f->listen[0]);
	free(f->listen[1]);
}

static void
both(enum relay_probe_result result)
{
	assert_string_equal(world.probed, "localhost:31337");
	relay_probed(world.r, result, "");
	assert_string_equal(world.probed, "localhost:31338");
	relay_probed(world.r, result, "");
	assert_int_equal(world.probes, 0);
}

/* All are proved before it is said to be up, and again every 5 minutes. */
static void
test_again_and_again(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	both(RELAY_PROBE_GOOD);
	assert_int_equal(world.r->state, RELAY_UP);
	assert_int_equal(relay_way_state(world.r), WAY_RELAY_PROVEN);
	assert_string_equal(world.kinds, "relay-up relay-up ");
	for (int n = 0; n < 3; n++) {
		assert_int_equal(world.again_ms, 300000);
		world.again_ms = -1;
		on_probe_again(world.r);
		both(RELAY_PROBE_GOOD);
	}
	assert_string_equal(world.kinds, "relay-up relay-up ");
	tear_down(&f);
}

/* One that died while it stood ends the connection. */
static void
test_dead_one_is_a_failure(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	both(RELAY_PROBE_GOOD);
	on_probe_again(world.r);
	relay_probed(world.r, RELAY_PROBE_GOOD, "");
	relay_probed(world.r, RELAY_PROBE_DEAD, "nothing listens there");
	assert_int_equal(world.r->failing, RELAY_SELF_TEST);
	assert_string_equal(world.r->why, "localhost:31338 leads nowhere: "
	    "nothing listens there");
	tear_down(&f);
}

/* A relay that forbids the test is no fault, and not asked more often. */
static void
test_not_permitted(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	both(RELAY_PROBE_NOT_PERMITTED);
	assert_int_equal(world.r->failing, RELAY_OK);
	assert_int_equal(world.r->state, RELAY_UP);
	assert_int_equal(relay_way_state(world.r), WAY_RELAY_FORWARDED);
	assert_int_equal(world.r->listens[1].tested, RELAY_NOT_PERMITTED);
	assert_int_equal(world.again_ms, 300000);
	assert_int_equal(world.tested_good, 1);
	tear_down(&f);
}

/* No room for the test now: up, but not proven, and soon tried again. */
static void
test_busy(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	relay_probed(world.r, RELAY_PROBE_BUSY, "");
	assert_int_equal(world.r->state, RELAY_UP);
	assert_int_equal(relay_way_state(world.r), WAY_RELAY_FORWARDED);
	assert_int_equal(world.again_ms, 10000);
	on_probe_again(world.r);
	both(RELAY_PROBE_GOOD);
	assert_int_equal(relay_way_state(world.r), WAY_RELAY_PROVEN);
	tear_down(&f);
}

/* While a sign of life is awaited nothing else is asked. */
static void
test_not_beside_a_keepalive(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	both(RELAY_PROBE_GOOD);
	world.r->missed = 1;
	on_probe_again(world.r);
	assert_int_equal(world.probes, 0);
	assert_int_equal(world.again_ms, 10000);
	relay_was_heard(world.r);
	on_probe_again(world.r);
	assert_int_equal(world.probes, 1);
	tear_down(&f);
}

/* Three that were asked for and did not come; any byte counts. */
static void
test_silence(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	both(RELAY_PROBE_GOOD);
	world.r->session = ssh_new();
	world.r->fd = -1;
	world.r->heard_at = (struct mono){ mono_now().us - 20000000 };
	on_alive(world.r);
	on_alive(world.r);
	assert_int_equal(world.asked, 2);
	relay_was_heard(world.r);
	on_alive(world.r);
	assert_int_equal(world.asked, 2);	/* heard just now */
	world.r->heard_at = (struct mono){ mono_now().us - 20000000 };
	for (int n = 0; n < 3; n++)
		on_alive(world.r);
	assert_int_equal(world.asked, 5);
	assert_int_equal(world.r->failing, RELAY_OK);
	on_alive(world.r);
	assert_int_equal(world.r->failing, RELAY_SILENT);
	tear_down(&f);
}

/* It is linked to no console process. */
static const struct feed_ops nobody;

/* Off, as at the start; attempts end where they want their key. */
static void
set_up_off(struct fixture *f)
{
	set_up(f);
	f->feed = feed_new(f->w.loop, "ssh", &nobody, NULL);
	f->w.conns = ssh_conns_new(f->w.loop, f->feed, NULL);
	f->w.want_key = on_want_key;
	leave(world.r);
	left(world.r);
	assert_int_equal(world.r->state, RELAY_OFF);
	assert_int_equal(world.begun, 0);
}

static void
tear_down_off(struct fixture *f)
{
	struct ssh_conns *conns = f->w.conns;

	relay_stop_attempt(world.r, false);
	ssh_conns_free(conns);
	feed_free(f->feed);
	tear_down(f);
}

/* How long it waits then. */
static int64_t
attempt_fails(void)
{
	struct mono now = mono_now();

	relay_fail(world.r, RELAY_CONNECT, "nobody is there");
	relay_run(world.r);
	assert_int_equal(world.r->state, RELAY_WAITING);
	return mono_ms(now, world.r->next_at);
}

/* From 2 s to 300 s: the figures are its own, the dice the system's. */
static void
test_back_off(void **state)
{
	int64_t first = 0, last = 0, wait = 0;
	struct fixture f;

	(void)state;
	set_up_off(&f);
	for (int n = 0; n < ROUNDS; n++) {
		relay_follow(world.r);		/* begins from nothing */
		wait = attempt_fails();
		assert_in_range(wait, 0, 2001);
		first = wait > first ? wait : first;
	}
	assert_true(first > 1000);
	for (int n = 0; n < 10; n++) {
		on_clock(world.r);
		attempt_fails();
	}
	for (int n = 0; n < ROUNDS; n++) {
		on_clock(world.r);
		wait = attempt_fails();
		assert_in_range(wait, 0, 300001);
		last = wait > last ? wait : last;
	}
	assert_true(last > 150000);
	assert_int_equal(world.begun, 10 + 2 * ROUNDS);
	tear_down_off(&f);
}

/* Whoever waits does so no longer once there is a way, or another one. */
static void
test_at_once(void **state)
{
	static const enum way ways[] = { WAY_EXISTING, WAY_PPP };
	struct fixture f;

	(void)state;
	set_up_off(&f);
	relay_follow(world.r);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		for (int n = 0; n < 12; n++) {
			attempt_fails();
			on_clock(world.r);
		}
		attempt_fails();
		world.begun = 0;
		f.w.way.way = ways[i];
		relay_follow(world.r);
		assert_int_equal(world.begun, 1);
		assert_int_equal(world.r->state, RELAY_RESOLVING);
		assert_int_equal(world.r->attempts, 1);
		assert_in_range(attempt_fails(), 0, 2001);
		relay_follow(world.r);
	}
	tear_down_off(&f);
}

/* One that comes while an attempt is under way has its turn after it. */
static void
test_at_once_after_this_one(void **state)
{
	struct fixture f;

	(void)state;
	set_up_off(&f);
	relay_follow(world.r);
	for (int n = 0; n < 12; n++) {
		attempt_fails();
		on_clock(world.r);
	}
	f.w.way.way = WAY_EXISTING;
	relay_follow(world.r);
	assert_int_equal(world.begun, 13);
	assert_in_range(attempt_fails(), 0, 1);
	tear_down_off(&f);
}

/* When it is wanted: always, while the link is up, only over PPP. */
static void
test_wanted(void **state)
{
	static const struct {
		bool always, ppp_only, wanted[3];	/* by enum way */
	} cases[] = {
		{ true, false, { true, true, true } },
		{ false, false, { false, true, true } },
		{ true, true, { false, false, true } },
		{ false, true, { false, false, true } },
	};
	struct fixture f;

	(void)state;
	set_up_off(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.conf.always = cases[i].always;
		f.conf.ppp_only = cases[i].ppp_only;
		for (int way = WAY_DOWN; way <= WAY_PPP; way++) {
			f.w.way.way = (enum way)way;
			relay_follow(world.r);
			assert_int_equal(world.r->state,
			    cases[i].wanted[way] ? RELAY_RESOLVING :
			    RELAY_OFF);
			assert_true(!f.conf.ppp_only ||
			    world.r->state == RELAY_OFF || world.r->by_ppp);
			leave(world.r);
		}
	}
	tear_down_off(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_at_once_after_this_one),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_again_and_again),
		cmocka_unit_test(test_dead_one_is_a_failure),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_not_beside_a_keepalive),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
