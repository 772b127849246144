/*
 * What holds of a loop, over whatever it sleeps on.  Include in one file of a
 * test program.
 */
#ifndef UNIT_LOOP_CASES_H
#define UNIT_LOOP_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/loop.h"
#include "tests/skewed_time.h"

/* What the callbacks of a test did, in order. */
static char trace[256];

struct place {
	struct loop *loop;
	struct timer *timer, *other_timer;
	struct watch *watch, *other_watch;
	int fds[2];
	int count;
	const char *mark;
};

static void
note(const char *s)
{
	strncat(trace, s, sizeof(trace) - strlen(trace) - 1);
}

static void
on_mark(void *arg)
{
	struct place *p = arg;

	note(p->mark);
}

static void
on_stop(void *arg)
{
	struct place *p = arg;

	loop_stop(p->loop, 42);
}

static struct place
place(void)
{
	struct place p = { .loop = loop_new(), .mark = "x" };

	trace[0] = '\0';
	assert_int_equal(pipe(p.fds), 0);
	return p;
}

static void
leave(struct place *p)
{
	close(p->fds[0]);
	close(p->fds[1]);
	loop_free(p->loop);
}

/*
 * Turn until this many ms are over, and once more: on a busy machine all of
 * it may be due at once, and what comes of that is then still to be done.
 */
static int
run(struct place *p, int64_t ms)
{
	struct timer *t = timer_new(p->loop, on_stop, p);
	int r;

	timer_set(t, ms);
	r = loop_run(p->loop);
	timer_set(t, 0);
	(void)loop_run(p->loop);
	timer_free(t);
	return r;
}

static void
test_timer_order(void **state)
{
	struct place p = place(), a = p, b = p, c = p;
	static const char *const then[] = { "b", "bc", "bca" };
	struct timer *ta, *tb, *tc;
	struct mono began;

	(void)state;
	a.mark = "a";
	b.mark = "b";
	c.mark = "c";
	ta = timer_new(p.loop, on_mark, &a);
	tb = timer_new(p.loop, on_mark, &b);
	tc = timer_new(p.loop, on_mark, &c);
	timer_set(ta, 30000);
	timer_set(tb, 10000);
	timer_set(tc, 20000);
	assert_true(timer_is_set(ta));
	for (size_t i = 0; i < 3; i++) {
		skew_us += 10000000;
		assert_int_equal(run(&p, 1), 42);
		assert_string_equal(trace, then[i]);
	}
	assert_false(timer_is_set(ta));
	began = mono_now();
	assert_int_equal(run(&p, 50), 42);
	assert_in_range(mono_ms(began, mono_now()), 50, 1000);
	leave(&p);
}

static void
test_timer_move(void **state)
{
	struct place p = place();
	struct timer *t = timer_new(p.loop, on_mark, &p);

	(void)state;
	timer_set(t, 5);
	timer_set(t, 1000000);		/* moves it away */
	run(&p, 20);
	assert_string_equal(trace, "");
	timer_set_sooner(t, 5000000);	/* does not move it */
	timer_set_sooner(t, 5);		/* does */
	run(&p, 20);
	assert_string_equal(trace, "x");
	timer_set_sooner(t, 5);		/* sets one that is not set */
	run(&p, 20);
	assert_string_equal(trace, "xx");
	timer_set(t, 5);
	timer_stop(t);
	run(&p, 20);
	assert_string_equal(trace, "xx");
	timer_set_us(t, 1500);
	run(&p, 20);
	assert_string_equal(trace, "xxx");
	timer_free(NULL);
	leave(&p);
}

static void
on_again(void *arg)
{
	struct place *p = arg;

	if (++p->count == 1000)
		loop_stop(p->loop, 7);
	timer_set(p->timer, 0);
}

static void
on_readable(void *arg, short revents)
{
	struct place *p = arg;
	char c;

	assert_true(revents & POLLIN);
	assert_int_equal(read(p->fds[0], &c, 1), 1);
	note("r");
}

/* A timer that sets itself anew at once does not starve descriptors. */
static void
test_timer_again(void **state)
{
	struct place p = place();

	(void)state;
	p.timer = timer_new(p.loop, on_again, &p);
	watch_new(p.loop, p.fds[0], POLLIN, on_readable, &p);
	timer_set(p.timer, 0);
	assert_int_equal(write(p.fds[1], "123", 3), 3);
	assert_int_equal(loop_run(p.loop), 7);
	assert_int_equal(p.count, 1000);
	assert_string_equal(trace, "rrr");
	leave(&p);
}

static void
on_free_both(void *arg)
{
	struct place *p = arg;

	note("f");
	timer_free(p->timer);
	timer_free(p->other_timer);
}

/* Both are due at once: the first frees the second, and itself. */
static void
test_timer_frees_timers(void **state)
{
	struct place p = place();

	(void)state;
	p.timer = timer_new(p.loop, on_free_both, &p);
	p.other_timer = timer_new(p.loop, on_free_both, &p);
	timer_set(p.timer, 1);
	timer_set(p.other_timer, 1);
	run(&p, 30);
	assert_string_equal(trace, "f");
	leave(&p);
}

static void
on_make(void *arg)
{
	struct place *p = arg;
	struct timer *t;

	/* Enough to make the table of timers move. */
	for (int i = 0; i < 100; i++) {
		t = timer_new(p->loop, on_mark, p);
		if (i == 50)
			timer_set(t, 0);
	}
}

static void
test_timer_makes_timers(void **state)
{
	struct place p = place();

	(void)state;
	p.timer = timer_new(p.loop, on_make, &p);
	timer_set(p.timer, 1);
	run(&p, 20);
	assert_string_equal(trace, "x");
	leave(&p);
}

static void
on_free_watches(void *arg, short revents)
{
	struct place *p = arg;

	(void)revents;
	note("f");
	watch_free(p->watch);
	watch_free(p->other_watch);
}

/* Both are ready in one turn: the first frees the second, and itself. */
static void
test_watch_frees_watches(void **state)
{
	struct place p = place();
	int other = dup(p.fds[0]);

	(void)state;
	p.watch = watch_new(p.loop, p.fds[0], POLLIN, on_free_watches, &p);
	p.other_watch = watch_new(p.loop, other, POLLIN, on_free_watches, &p);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	run(&p, 20);
	assert_string_equal(trace, "f");
	close(other);
	leave(&p);
}

static void
on_any(void *arg, short revents)
{
	struct place *p = arg;

	p->count++;
	if (revents & POLLIN)
		note("i");
	if (revents & POLLOUT)
		note("o");
	if (revents & POLLHUP)
		note("h");
	watch_pause(p->watch);
}

static void
test_watch_events(void **state)
{
	struct place p = place();
	char c;

	(void)state;
	p.watch = watch_new(p.loop, p.fds[0], 0, on_any, &p);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	run(&p, 10);
	assert_string_equal(trace, "");		/* events 0: nothing */
	watch_set(p.watch, POLLIN);
	run(&p, 10);
	assert_string_equal(trace, "i");	/* and paused itself */
	watch_set(p.watch, POLLIN);
	run(&p, 10);
	assert_string_equal(trace, "ii");
	assert_int_equal(read(p.fds[0], &c, 1), 1);
	close(p.fds[1]);
	/* A hang-up comes unasked, but not to a paused one. */
	run(&p, 10);
	assert_string_equal(trace, "ii");
	watch_set(p.watch, 0);
	run(&p, 10);
	assert_string_equal(trace, "iih");
	watch_free(p.watch);
	watch_free(NULL);
	p.fds[1] = open("/dev/null", O_RDONLY);
	leave(&p);
}

/* Without events nothing comes, not even a hang-up. */
static void
test_watch_wants(void **state)
{
	struct place p = place();

	(void)state;
	p.watch = watch_new(p.loop, p.fds[0], POLLIN, on_any, &p);
	watch_want(p.watch, 0);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	run(&p, 10);
	assert_string_equal(trace, "");
	watch_want(p.watch, POLLIN);
	run(&p, 10);
	assert_string_equal(trace, "i");
	close(p.fds[1]);
	watch_want(p.watch, 0);
	run(&p, 10);
	assert_string_equal(trace, "i");
	watch_want(p.watch, POLLIN);
	run(&p, 10);
	assert_string_equal(trace, "iih");
	p.fds[1] = open("/dev/null", O_RDONLY);
	leave(&p);
}

static void
on_pause_other(void *arg, short revents)
{
	struct place *p = arg;

	(void)revents;
	note("p");
	watch_pause(p->watch);
	watch_pause(p->other_watch);
}

/* Paused in the turn in which it was ready: it is not called any more. */
static void
test_watch_pauses_other(void **state)
{
	struct place p = place();
	int other = dup(p.fds[0]);

	(void)state;
	p.watch = watch_new(p.loop, p.fds[0], POLLIN, on_pause_other, &p);
	p.other_watch = watch_new(p.loop, other, POLLIN, on_pause_other, &p);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	run(&p, 20);
	assert_string_equal(trace, "p");
	close(other);
	leave(&p);
}

static void
on_turn_a(void *arg)
{
	(void)arg;
	note("A");
}

static void
on_turn_b(void *arg)
{
	struct place *p = arg;

	note("B");
	if (++p->count == 3)
		loop_stop(p->loop, 5);
}

/* Before each wait, in order, and loop_stop there ends it without a wait. */
static void
test_each_turn(void **state)
{
	struct place p = place();
	struct mono began = mono_now();

	(void)state;
	loop_each_turn(p.loop, on_turn_a, &p);
	loop_each_turn(p.loop, on_turn_b, &p);
	watch_new(p.loop, p.fds[1], POLLOUT, on_any, &p);
	p.watch = watch_new(p.loop, p.fds[0], POLLIN, on_any, &p);
	assert_int_equal(loop_run(p.loop), 5);
	assert_memory_equal(trace, "AB", 2);
	assert_true(mono_ms(began, mono_now()) < 1000);
	leave(&p);
}

static void
on_signal(void *arg, int signo)
{
	(void)arg;
	note(signo == SIGUSR1 ? "1" : signo == SIGHUP ? "H" : "?");
}

static void
on_raise(void *arg)
{
	(void)arg;
	raise(SIGUSR1);
	raise(SIGHUP);
	note("r");
}

/* Only one test can: one loop of a process gets the signals. */
static void
test_signals(void **state)
{
	struct place p = place();
	struct timer *t = timer_new(p.loop, on_raise, &p);

	(void)state;
	loop_signal(p.loop, SIGUSR1, on_signal, &p);
	loop_signal(p.loop, SIGHUP, on_signal, &p);
	timer_set(t, 1);
	run(&p, 30);
	assert_string_equal(trace, "r1H");
	/* Far more than the pipe holds neither block nor kill. */
	trace[0] = '\0';
	for (int i = 0; i < 100000; i++)
		raise(SIGUSR1);
	run(&p, 30);
	assert_true(strlen(trace) > 0);
	leave(&p);
}

static void
on_time(void *arg)
{
	struct place *p = arg;

	assert_in_range(mono_us(loop_now(p->loop), mono_now()), 0, 60000000);
	note("t");
}

static void
test_now_is_fresh(void **state)
{
	struct place p = place();
	struct timer *t = timer_new(p.loop, on_time, &p);

	(void)state;
	skew_us += 100000000;
	timer_set(t, 1);
	run(&p, 5);
	assert_string_equal(trace, "t");
	leave(&p);
}

static void
on_count(void *arg, short revents)
{
	struct place *p = arg;

	assert_true(revents & (POLLIN | POLLOUT));
	p->count++;
}

/* A file on a disk, and /dev/null: they never wait. */
static void
test_files_that_never_wait(void **state)
{
	struct place p = place();
	char name[] = "/tmp/oobd-loop-XXXXXX";
	int files[] = { mkstemp(name), open("/dev/null", O_RDWR) };

	(void)state;
	assert_int_equal(unlink(name), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_not_equal(files[i], -1);
		p.count = 0;
		p.watch = watch_new(p.loop, files[i], POLLIN, on_count, &p);
		p.other_watch = watch_new(p.loop, p.fds[0], POLLIN,
		    on_readable, &p);
		assert_int_equal(write(p.fds[1], "x", 1), 1);
		run(&p, 5);
		assert_true(p.count > 1);
		assert_string_equal(trace, "r");	/* nor does it starve */
		watch_pause(p.watch);
		p.count = 0;
		run(&p, 5);
		assert_int_equal(p.count, 0);
		watch_set(p.watch, POLLOUT);
		run(&p, 5);
		assert_true(p.count > 1);
		watch_free(p.watch);
		watch_free(p.other_watch);
		p.count = 0;
		run(&p, 5);
		assert_int_equal(p.count, 0);
		trace[0] = '\0';
		close(files[i]);
	}
	leave(&p);
}

/* What comes for a number is for who watches it now. */
static void
test_number_used_again(void **state)
{
	struct place p = place();
	int fds[2], number = p.fds[0], other = dup(p.fds[0]);

	(void)state;
	p.watch = watch_new(p.loop, number, POLLIN, on_any, &p);
	run(&p, 5);
	watch_free(p.watch);
	close(number);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[0], number), number);
	p.watch = watch_new(p.loop, number, POLLIN, on_any, &p);
	assert_int_equal(write(p.fds[1], "x", 1), 1);	/* into the old */
	run(&p, 10);
	assert_string_equal(trace, "");
	assert_int_equal(write(fds[1], "x", 1), 1);
	run(&p, 10);
	assert_string_equal(trace, "i");
	close(other);
	close(fds[0]);
	close(fds[1]);
	leave(&p);
}

static void
on_number(void *arg, short revents)
{
	int *count = arg;

	(void)revents;
	++*count;
}

/* The same, and a library had closed it before it was let go of. */
static void
test_number_used_before_freed(void **state)
{
	struct place p = place();
	int number = p.fds[0];

	(void)state;
	p.watch = watch_new(p.loop, number, POLLIN, on_any, &p);
	run(&p, 5);
	close(p.fds[1]);
	close(number);
	assert_int_equal(pipe(p.fds), 0);
	assert_int_equal(dup2(p.fds[0], number), number);
	p.other_watch = watch_new(p.loop, number, POLLIN, on_readable, &p);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	run(&p, 10);
	assert_non_null(strchr(trace, 'r'));
	watch_free(p.watch);
	trace[0] = '\0';
	run(&p, 10);
	assert_string_equal(trace, "");
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	run(&p, 10);
	assert_string_equal(trace, "r");
	leave(&p);
}

/* More than one turn takes, and none of them is read: all get theirs. */
static void
test_more_than_a_turn(void **state)
{
	enum { MANY = 200 };
	struct place p = place();
	int copies[MANY], counts[MANY] = { 0 };

	(void)state;
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	for (int i = 0; i < MANY; i++) {
		copies[i] = dup(p.fds[0]);
		assert_int_not_equal(copies[i], -1);
		watch_new(p.loop, copies[i], POLLIN, on_number, &counts[i]);
	}
	run(&p, 50);
	for (int i = 0; i < MANY; i++) {
		assert_true(counts[i] > 1);
		assert_in_range(counts[i], counts[0] - 2, counts[0] + 2);
		close(copies[i]);
	}
	leave(&p);
}

static void
on_each(void *arg)
{
	struct place *p = arg;

	p->count++;
}

/* An owner's mistake: not one word of it reaches who is there no more. */
static void
test_closed_while_watched(void **state)
{
	struct place p = place();
	int other = dup(p.fds[0]);

	(void)state;
	p.watch = watch_new(p.loop, p.fds[0], 0, on_any, &p);
	run(&p, 5);
	close(p.fds[0]);
	watch_free(p.watch);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	close(p.fds[1]);
	loop_each_turn(p.loop, on_each, &p);
	run(&p, 20);
	assert_string_equal(trace, "");
	assert_in_range(p.count, 1, 20);	/* nor is it a busy loop */
	close(other);
	assert_int_equal(pipe(p.fds), 0);
	leave(&p);
}

#define LOOP_CASES \
	cmocka_unit_test(test_timer_order), \
	cmocka_unit_test(test_timer_move), \
	cmocka_unit_test(test_timer_again), \
	cmocka_unit_test(test_timer_frees_timers), \
	cmocka_unit_test(test_timer_makes_timers), \
	cmocka_unit_test(test_watch_frees_watches), \
	cmocka_unit_test(test_watch_events), \
	cmocka_unit_test(test_watch_wants), \
	cmocka_unit_test(test_watch_pauses_other), \
	cmocka_unit_test(test_each_turn), \
	cmocka_unit_test(test_signals), \
	cmocka_unit_test(test_now_is_fresh), \
	cmocka_unit_test(test_files_that_never_wait), \
	cmocka_unit_test(test_number_used_again), \
	cmocka_unit_test(test_number_used_before_freed), \
	cmocka_unit_test(test_more_than_a_turn), \
	cmocka_unit_test(test_closed_while_watched)

#endif
