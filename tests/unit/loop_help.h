/*
 * loop_help: a loop that turns for a while.
 */
#ifndef TESTS_LOOP_HELP_H
#define TESTS_LOOP_HELP_H

#include "server/base/loop.h"

static inline void
loop_time_is_up(void *arg)
{
	loop_stop(arg, 0);
}

static inline void
loop_for(struct loop *l, int64_t ms)
{
	struct timer *t = timer_new(l, loop_time_is_up, l);

	timer_set(t, ms);
	loop_run(l);
	timer_free(t);
}

#endif
