/* Over poll(2), and over a waiter that has no memory at times. */
#define waiter_add poll_add
#include "../../server/base/waiter_poll.c"
#undef waiter_add

#include <errno.h>

#include "loop_cases.h"

int waiter_add(struct waiter *, int fd, short events, uint64_t id);

static int refusals;

int
waiter_add(struct waiter *w, int fd, short events, uint64_t id)
{
	if (refusals == 0)
		return poll_add(w, fd, events, id);
	refusals--;
	errno = ENOMEM;
	return -1;
}

/* It is asked again, soon, and without anything else that happens. */
static void
test_refused_for_a_while(void **state)
{
	struct place p = place();

	(void)state;
	refusals = 3;
	p.watch = watch_new(p.loop, p.fds[0], POLLIN, on_any, &p);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	run(&p, 500);
	assert_int_equal(refusals, 0);
	assert_string_equal(trace, "i");
	/* One that was never watched is let go of all the same. */
	refusals = 100;
	p.other_watch = watch_new(p.loop, p.fds[1], POLLOUT, on_count, &p);
	run(&p, 25);
	assert_in_range(refusals, 80, 99);
	watch_free(p.other_watch);
	refusals = 0;
	p.count = 0;
	run(&p, 10);
	assert_int_equal(p.count, 0);
	leave(&p);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		LOOP_CASES,
		cmocka_unit_test(test_refused_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
