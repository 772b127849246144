#include <errno.h>
#include <signal.h>
#include <time.h>

#include "thread.h"

int
thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error == 0 ? 0 : -1;
}

void
thread_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

bool
thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
    struct mono until)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(until.us / 1000000),
		.tv_nsec = (long)(until.us % 1000000) * 1000,
	};

	return pthread_cond_timedwait(cond, lock, &ts) != ETIMEDOUT;
}
