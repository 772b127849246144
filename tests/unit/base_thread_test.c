#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "server/base/thread.h"

#define WAIT_MS 50
#define LONG_MS 10000

/* Of both threads. */
struct shared {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool said;
	sigset_t blocked;
};

static void
init(struct shared *s)
{
	*s = (struct shared){ .said = false };
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->cond);
}

static void
fini(struct shared *s)
{
	pthread_cond_destroy(&s->cond);
	pthread_mutex_destroy(&s->lock);
}

static void *
say(void *arg)
{
	struct shared *s = arg;

	pthread_mutex_lock(&s->lock);
	pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
	s->said = true;
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Signals stay with the thread that starts others. */
static void
test_signals(void **state)
{
	sigset_t before, after;
	pthread_t thread;
	struct shared s;

	(void)state;
	init(&s);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(thread_start(&thread, say, &s), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(s.said);
	for (int i = 1; i < 32; i++) {
		if (i != SIGKILL && i != SIGSTOP)
			assert_int_equal(sigismember(&s.blocked, i), 1);
		assert_int_equal(sigismember(&before, i),
		    sigismember(&after, i));
	}
	fini(&s);
}

static void
test_time_is_up(void **state)
{
	struct mono start = mono_now(), until = mono_after(start, WAIT_MS);
	struct shared s;

	(void)state;
	init(&s);
	pthread_mutex_lock(&s.lock);
	/* A wait may end for nothing, but not for ever. */
	while (thread_cond_wait(&s.cond, &s.lock, until))
		assert_true(mono_ms(start, mono_now()) < LONG_MS);
	assert_true(mono_us(until, mono_now()) >= 0);
	/* What is past is over at once. */
	start = mono_now();
	assert_false(thread_cond_wait(&s.cond, &s.lock,
	    mono_after(start, -1)));
	assert_true(mono_ms(start, mono_now()) < LONG_MS / 2);
	pthread_mutex_unlock(&s.lock);
	fini(&s);
}

static void
test_woken(void **state)
{
	struct mono start = mono_now();
	pthread_t thread;
	struct shared s;

	(void)state;
	init(&s);
	pthread_mutex_lock(&s.lock);
	assert_int_equal(thread_start(&thread, say, &s), 0);
	while (!s.said)
		assert_true(thread_cond_wait(&s.cond, &s.lock,
		    mono_after(start, LONG_MS)));
	pthread_mutex_unlock(&s.lock);
	pthread_join(thread, NULL);
	fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_time_is_up),
		cmocka_unit_test(test_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
