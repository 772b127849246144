/*
 * Time that passes when a test says so: linked before libc, the monotonic
 * clock is the system's and as much more as skew_us says.  Include in one
 * file of a test program.  (virtual_time.h stands still instead, but then for
 * all that is in the process, libFuzzer too.)
 */
#ifndef TESTS_SKEWED_TIME_H
#define TESTS_SKEWED_TIME_H

#include <sys/syscall.h>

#include <stdint.h>
#include <time.h>
#include <unistd.h>

static int64_t skew_us;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);

	if (r == 0 && id == CLOCK_MONOTONIC) {
		ts->tv_sec += (time_t)(skew_us / 1000000);
		ts->tv_nsec += (long)(skew_us % 1000000) * 1000;
		ts->tv_sec += ts->tv_nsec / 1000000000;
		ts->tv_nsec %= 1000000000;
	}
	return r;
}

#endif
