/*
 * When the next attempt is made, in a time and with dice of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/log.h"
#include "server/base/os.h"
#include "server/relay_internal.h"

static struct mono test_now(void);
static void test_random(void *, size_t);

#define mono_now test_now
#define os_random test_random
#define relay_event test_event
#define relay_step_taken test_step_taken
#define relay_stop_attempt test_stop_attempt
#define relay_change_state test_change_state
#define relay_tell_tested test_tell_tested
#define relay_is_wanted test_is_wanted
#define ssh_conns_lost test_lost

static void test_event(struct relay *, const char *, const char *,
    const char *);
static void test_step_taken(struct relay *, enum relay_step, bool,
    const char *, ...) __attribute__((format(printf, 4, 5)));
static void test_stop_attempt(struct relay *, bool);
static void test_change_state(struct relay *, enum relay_state);
static void test_tell_tested(struct relay *, bool);
static bool test_is_wanted(const struct relay *);
static void test_lost(struct ssh_conns *, const char *, bool);

#include "server/relay_failure.c"

static struct {
	int64_t ms;
	uint32_t dice;
	int refused_told, failed_told, down_told;
	bool silent;
} world;

static struct mono
test_now(void)
{
	return (struct mono){ world.ms * 1000 };
}

static void
test_random(void *p, size_t n)
{
	memcpy(p, &world.dice, n);
}

static void
test_event(struct relay *r, const char *kind, const char *values,
    const char *why)
{
	(void)r;
	(void)values;
	(void)why;
	world.refused_told += strcmp(kind, "relay-refused") == 0;
	world.failed_told += strcmp(kind, "relay-failed") == 0;
	world.down_told += strcmp(kind, "relay-down") == 0;
}

static void
test_step_taken(struct relay *r, enum relay_step step, bool good,
    const char *fmt, ...)
{
	(void)r;
	(void)step;
	(void)good;
	(void)fmt;
}

static void
test_stop_attempt(struct relay *r, bool polite)
{
	(void)polite;
	r->forwarded = r->was_up = false;
}

static void
test_change_state(struct relay *r, enum relay_state state)
{
	r->state = state;
}

static void
test_tell_tested(struct relay *r, bool good)
{
	(void)r;
	(void)good;
}

static bool
test_is_wanted(const struct relay *r)
{
	(void)r;
	return true;
}

static void
test_lost(struct ssh_conns *all, const char *via, bool silent)
{
	(void)all;
	(void)via;
	world.silent = silent;
}

struct fixture {
	struct relay_world shared;
	struct config_relay conf;
	struct relay r;
};

static void
begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	memset(&world, 0, sizeof(world));
	world.ms = 1000000;
	world.dice = UINT32_MAX;
	f->conf.name = f->conf.host = (char[]){ "cloud" };
	f->r.world = &f->shared;
	f->r.conf = &f->conf;
	f->r.backoff = (struct backoff){ .min_ms = 2000, .max_ms = 300000 };
}

/* An attempt fails now; how long until the next. */
static int64_t
fails(struct fixture *f, enum relay_failure failure)
{
	f->r.state = RELAY_CONNECTING;
	f->r.failing = failure;
	relay_fail_now(&f->r);
	assert_int_equal(f->r.state, RELAY_WAITING);
	return mono_ms(test_now(), f->r.next_at);
}

/* From 2 s to 300 s, each anywhere from nothing to all of it. */
static void
test_figures(void **state)
{
	static const int64_t most[] = { 2000, 4000, 8000, 16000, 32000,
	    64000, 128000, 256000, 300000, 300000 };
	struct fixture f;

	(void)state;
	begin(&f);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++)
		assert_int_equal(fails(&f, RELAY_CONNECT), most[i]);
	world.dice = 0;
	assert_int_equal(fails(&f, RELAY_CONNECT), 0);
	world.dice = UINT32_MAX / 2;
	assert_in_range(fails(&f, RELAY_CONNECT), 149990, 150010);
}

/* Only a forward that stood for 60 s makes it begin anew. */
static void
test_reset(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (int i = 0; i < 5; i++)
		fails(&f, RELAY_CONNECT);
	f.r.forwarded = true;
	f.r.forwarded_at = test_now();
	world.ms += 59000;
	assert_int_equal(fails(&f, RELAY_LOST), 64000);
	f.r.forwarded = true;
	f.r.forwarded_at = test_now();
	world.ms += 60000;
	assert_int_equal(fails(&f, RELAY_LOST), 2000);
}

static void
test_refused(void **state)
{
	struct fixture f;
	int64_t start, wait, last = 0;

	(void)state;
	begin(&f);
	start = world.ms;
	for (int n = 0; n < 11; n++) {
		world.dice = (uint32_t)n * 0x13579bdf;
		wait = fails(&f, RELAY_REFUSED);
		assert_in_range(wait, 14000, 16000);
		assert_int_equal(world.refused_told, 0);
		world.ms += 15000;
	}
	world.ms = start + 180000;
	world.dice = UINT32_MAX;
	for (int n = 0; n < 9; n++) {
		wait = fails(&f, RELAY_REFUSED);
		assert_int_equal(world.refused_told, 1);
		/* Never more often than before it backed off. */
		assert_true(wait >= 15000 && wait >= last);
		last = wait;
		world.ms += wait;
	}
	assert_int_equal(last, 300000);
	world.dice = 0;
	assert_int_equal(fails(&f, RELAY_REFUSED), 14000);
}

/* What was refused long ago says nothing of a listener that is stale now. */
static void
test_refused_again(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	fails(&f, RELAY_REFUSED);
	for (int n = 0; n < 12; n++) {
		world.ms += 60000;
		fails(&f, RELAY_CONNECT);
	}
	assert_in_range(fails(&f, RELAY_REFUSED), 14000, 16000);
	assert_int_equal(world.refused_told, 0);
	/* Others in between, as with two ways by turns, change nothing. */
	for (int n = 0; n < 4; n++) {
		world.ms += 60000;
		fails(&f, RELAY_CONNECT);
		fails(&f, RELAY_REFUSED);
	}
	assert_int_equal(world.refused_told, 1);
}

static void
test_hurry(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (int n = 0; n < 8; n++)
		fails(&f, RELAY_CONNECT);
	f.r.hurry = true;
	assert_int_equal(fails(&f, RELAY_CONNECT), 0);
	f.r.hurry = false;		/* as each attempt begins */
	assert_int_equal(fails(&f, RELAY_CONNECT), 2000);
}

/* While there are two ways, the one that was not tried is next. */
static void
test_ways(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (int always = 0; always < 2; always++) {
		f.conf.always = always != 0;
		for (int ppp = 0; ppp < 2; ppp++) {
			f.r.by_ppp = ppp != 0;
			fails(&f, RELAY_CONNECT);
			/* What goes_by_ppp says of it. */
			assert_int_equal(f.conf.always == f.r.other_way, !ppp);
		}
		f.r.by_ppp = true;
		fails(&f, RELAY_WAY_GONE);
		assert_false(f.r.other_way);
	}
}

/*
 * Something took the connection and was no SSH server, or never said a word:
 * the other port is first.  What fails after that says nothing of the port.
 */
static void
test_other_port(void **state)
{
	static const struct {
		enum relay_failure failure;
		enum relay_state at;
		bool other;
	} cases[] = {
		{ RELAY_CONNECT, RELAY_CONNECTING, false },
		{ RELAY_KEX, RELAY_HANDSHAKE, true },
		{ RELAY_KEX, RELAY_HANDSHAKE, false },	/* and back */
		{ RELAY_SILENT, RELAY_HANDSHAKE, true },
		{ RELAY_SILENT, RELAY_HANDSHAKE, false },
		{ RELAY_HOST_KEY, RELAY_HANDSHAKE, false },
		{ RELAY_SILENT, RELAY_AUTHENTICATING, false },
		{ RELAY_SILENT, RELAY_UP, false },
		{ RELAY_LOST, RELAY_UP, false },
	};
	struct fixture f;

	(void)state;
	begin(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.r.state = cases[i].at;
		f.r.failing = cases[i].failure;
		relay_fail_now(&f.r);
		assert_int_equal(f.r.other_port, cases[i].other);
	}
}

static void
test_told(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	/* Bound, but dead: it never was up. */
	for (int n = 0; n < 5; n++) {
		f.r.forwarded = true;
		fails(&f, RELAY_SELF_TEST);
	}
	assert_int_equal(world.failed_told, 1);
	assert_int_equal(world.down_told, 0);
	f.r.was_up = true;
	fails(&f, RELAY_LOST);
	assert_int_equal(world.down_told, 1);
	assert_int_equal(world.failed_told, 1);
}

/* What was sent into a way that is gone is not taken for seen. */
static void
test_silence(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	fails(&f, RELAY_SILENT);
	assert_true(world.silent);
	fails(&f, RELAY_LOST);
	assert_false(world.silent);
	fails(&f, RELAY_WAY_GONE);
	assert_true(world.silent);
	/* The system gave it up before we did. */
	f.r.missed = 1;
	fails(&f, RELAY_LOST);
	assert_true(world.silent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_again),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_other_port),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
