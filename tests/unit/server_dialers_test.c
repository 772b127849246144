/*
 * What a dialer is started with, how many of them, and when one ends: the
 * processes are the test's, PPP is one that says it is up.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_children.h"
#include "server/base/frame.h"
#include "server/base/mem.h"
#include "server/dialer.h"
#include "server/dialers.h"
#include "server/proto.h"

static struct loop *loop;

static struct {
	struct timer *stop;
	struct ppprun *ppp;
	struct dialers *dialers;
	struct config_relay relays[3];
	struct config_modem modem;
	struct config conf;
	const char *why;
} w;

static struct link *
no_modem(void *arg)
{
	(void)arg;
	return NULL;
}

static void
nothing(void *arg)
{
	(void)arg;
}

static const struct ppprun_ops ppp_ops = { no_modem, nothing };

static void
on_stop(void *arg)
{
	(void)arg;
	loop_stop(loop, 0);
}

static void
settle(void)
{
	for (int i = 0; i < 3; i++) {
		timer_set(w.stop, 0);
		loop_run(loop);
	}
}

static char *
text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static int
begin(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.stop = timer_new(loop, on_stop, NULL);
	w.ppp = ppprun_new(loop, NULL, "/r", getuid(), &ppp_ops, NULL);
	/* What it begins with, as root. */
	end_jobs();
	w.dialers = dialers_new(NULL, w.ppp);
	w.relays[0] = (struct config_relay){ .name = text("a"),
	    .host = text("a.test"), .port = 22, .second_port = 443 };
	w.relays[1] = (struct config_relay){ .name = text("b"),
	    .host = text("b.test"), .port = 2222 };
	w.relays[2] = (struct config_relay){ .name = text("p"),
	    .host = text("p.test"), .port = 22, .ppp_only = true };
	w.conf.relays = w.relays;
	w.conf.nrelays = 3;
	w.conf.modem = &w.modem;
	w.modem.data = w.modem.dns = text("peer");
	fake_last = NULL;
	fake_cancelled = 0;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	dialers_free(w.dialers);
	ppprun_free(w.ppp);
	drop_jobs();
	settle();
	timer_free(w.stop);
	fake_refuse = false;
	return 0;
}

/* The socket that the asker gets; -1: none. */
static int
start(size_t relay, bool second, bool ppp)
{
	const struct dialers_ask ask = { second, ppp };

	return dialers_start(w.dialers, &w.relays[relay], &ask, &w.why);
}

static void
started(size_t relay, bool second, bool ppp, const char *words)
{
	int fd = start(relay, second, ppp);

	if (fd == -1)
		fail_msg("%s", w.why);
	assert_string_equal(fake_last->role, "dialer");
	assert_string_equal(fake_last->words, words);
	assert_int_equal(fake_last->limit_ms, DIALER_LIMIT_MS);
	assert_false(fake_last->privileged);
	/* What it says there is heard. */
	assert_int_equal(write(fake_last->fd, "x", 1), 1);
	assert_int_equal(read(fd, (char[1]){ 0 }, 1), 1);
	close(fd);
}

static void
refused(size_t relay, bool ppp, const char *why)
{
	unsigned begun = fake_begun;

	assert_int_equal(start(relay, false, ppp), -1);
	assert_string_equal(w.why, why);
	assert_int_equal(fake_begun, begun);
}

static void
ports_are_the_configurations(void **state)
{
	(void)state;
	started(0, false, false, "a.test|22|443|||");
	started(0, true, false, "a.test|443|22|||");
	/* Where there is one only, there is nothing to choose. */
	started(1, false, false, "b.test|2222|0|||");
	started(1, true, false, "b.test|2222|0|||");
}

static void
say_ppp(struct job *ppp, enum ppp_state state, const char *local)
{
	struct frame_out *o = xmalloc(sizeof(*o));

	frame_start(o, SV_PPP);
	frame_put_u8(o, (uint8_t)state);
	frame_put_str(o, "ppp7");
	frame_put_str(o, local);
	frame_put_str(o, "10.0.0.2");
	frame_put_str(o, "192.0.2.53,192.0.2.54");
	frame_put_str(o, "");
	frame_put_str(o, "");
	assert_int_equal(frame_finish(o, 0), 0);
	assert_int_equal(send(ppp->fd, o->block, o->len, 0), o->len);
	free(o);
	settle();
}

/* The way over PPP is what PPP says, and only while it does. */
static void
ppp_is_what_it_says(void **state)
{
	struct job *ppp;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();		/* none is started then */
	refused(2, false, "it goes over PPP only");
	refused(2, true, "PPP is not up");
	refused(0, true, "PPP is not up");
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ppprun_start(w.ppp, &w.conf, 30, fd);
	close(fd);
	ppp = fake_last;
	assert_string_equal(ppp->role, "ppp");
	say_ppp(ppp, PPP_NEGOTIATING, "");
	refused(2, true, "PPP is not up");
	say_ppp(ppp, PPP_UP, "10.0.0.1");
	started(2, false, true,
	    "p.test|22|0|192.0.2.53,192.0.2.54|10.0.0.1|ppp7");
	started(0, true, true,
	    "a.test|443|22|192.0.2.53,192.0.2.54|10.0.0.1|ppp7");
	refused(2, false, "it goes over PPP only");
	say_ppp(ppp, PPP_UP, "10.0.0.9");
	started(2, false, true,
	    "p.test|22|0|192.0.2.53,192.0.2.54|10.0.0.9|ppp7");
	say_ppp(ppp, PPP_ENDED, "");
	refused(2, true, "PPP is not up");
	/* It dies. */
	say_ppp(ppp, PPP_UP, "10.0.0.1");
	started(2, false, true,
	    "p.test|22|0|192.0.2.53,192.0.2.54|10.0.0.1|ppp7");
	end_job(ppp);
	settle();
	refused(2, true, "PPP is not up");
}

/* A newer one is the older one's end, and nobody else's. */
static void
one_for_each_relay(void **state)
{
	struct job *first, *other;

	(void)state;
	started(0, false, false, "a.test|22|443|||");
	first = fake_last;
	started(1, false, false, "b.test|2222|0|||");
	other = fake_last;
	assert_false(first->killed);
	started(0, true, false, "a.test|443|22|||");
	assert_true(first->killed);
	assert_false(other->killed);
	assert_false(fake_last->killed);
	started(0, true, false, "a.test|443|22|||");
	assert_int_equal(fake_cancelled, 2);
}

/* Who was killed has his place until he is gone. */
static void
so_many_at_a_time(void **state)
{
	struct job *first;

	(void)state;
	started(0, false, false, "a.test|22|443|||");
	first = fake_last;
	for (unsigned i = 1; i < DIALERS_MAX; i++)
		started(0, false, false, "a.test|22|443|||");
	refused(0, false, "too many dialers run");
	refused(1, false, "too many dialers run");
	end_job(first);
	started(1, false, false, "b.test|2222|0|||");
	refused(1, false, "too many dialers run");
	end_jobs();
	for (unsigned i = 0; i < 3 * DIALERS_MAX; i++) {
		started(0, false, false, "a.test|22|443|||");
		end_job(fake_last);
	}
}

static void
one_that_cannot_be_started(void **state)
{
	(void)state;
	fake_refuse = true;
	for (unsigned i = 0; i < 2 * DIALERS_MAX; i++)
		refused(0, false, "its dialer cannot be started");
	fake_refuse = false;
	started(0, false, false, "a.test|22|443|||");
}

static void
a_reload_ends_what_leads_elsewhere(void **state)
{
	struct job *a, *b;

	(void)state;
	started(0, true, false, "a.test|443|22|||");
	a = fake_last;
	started(1, false, false, "b.test|2222|0|||");
	b = fake_last;
	dialers_follow(w.dialers, &w.conf);
	assert_false(a->killed || b->killed);
	w.relays[0].second_port = 2443;
	dialers_follow(w.dialers, &w.conf);
	assert_true(a->killed);
	assert_false(b->killed);
	w.conf.nrelays = 1;
	dialers_follow(w.dialers, &w.conf);
	assert_true(b->killed);
	/* Once each. */
	assert_int_equal(fake_cancelled, 2);
	end_jobs();
	started(1, false, false, "b.test|2222|0|||");
	w.conf.nrelays = 2;
	w.relays[1].host = text("c.test");
	dialers_follow(w.dialers, &w.conf);
	assert_true(fake_last->killed);
}

static void
none_outlives_its_asker(void **state)
{
	struct job *a;

	(void)state;
	started(0, false, false, "a.test|22|443|||");
	a = fake_last;
	started(1, false, false, "b.test|2222|0|||");
	dialers_forget(w.dialers);
	assert_true(a->killed && fake_last->killed);
	dialers_forget(w.dialers);
	assert_int_equal(fake_cancelled, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(ports_are_the_configurations),
		T(ppp_is_what_it_says),
		T(one_for_each_relay),
		T(so_many_at_a_time),
		T(one_that_cannot_be_started),
		T(a_reload_ends_what_leads_elsewhere),
		T(none_outlives_its_asker),
	};

	loop = loop_new();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
