/*
 * thread: what the few threads beside a loop need alike.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "clock.h"

/* With every signal left to the loop.  0, or -1 with errno. */
int thread_start(pthread_t *, void *(*run)(void *), void *arg);

/* Of such a condition the deadlines are monotonic. */
void thread_cond_init(pthread_cond_t *);

/*
 * Wait for a condition of thread_cond_init, its lock being held.  False: the
 * time is up.  True: look whether it is so; it may be for nothing.
 */
bool thread_cond_wait(pthread_cond_t *, pthread_mutex_t *, struct mono until);

#endif
