#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/base/aside.h"

#define LIMIT_MS 5000

/* The other end of a new pty; master is the end that sees it closed. */
static int
open_tty(int *master)
{
	int fd;

	*master = posix_openpt(O_RDWR | O_NOCTTY);
	assert_int_not_equal(*master, -1);
	assert_int_equal(grantpt(*master), 0);
	assert_int_equal(unlockpt(*master), 0);
	fd = open(ptsname(*master), O_RDWR | O_NOCTTY);
	assert_int_not_equal(fd, -1);
	return fd;
}

/* Until everybody else has closed it. */
static void
wait_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
	assert_true(read(fd, &byte, 1) <= 0);
}

static void
test_not_a_tty(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	aside_close(pair[0]);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);	/* already */
	wait_closed(pair[1]);
	close(pair[1]);
}

static void
test_tty(void **state)
{
	int master, tty;

	(void)state;
	tty = open_tty(&master);
	aside_close(tty);
	wait_closed(master);
	close(master);
}

/* A copy is still open: nobody is kept out by it any more. */
static void
test_frees_its_locks(void **state)
{
	int master, tty, copy, again;

	(void)state;
	tty = open_tty(&master);
	assert_int_equal(flock(tty, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(ioctl(tty, TIOCEXCL), 0);
	copy = dup(tty);
	aside_close(tty);
	again = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_not_equal(again, -1);
	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), 0);
	close(again);
	close(copy);
	close(master);
}

/* The thread takes none: they come to the one that waits for them. */
static void
test_signals_stay(void **state)
{
	sigset_t after;
	int master, tty;

	(void)state;
	tty = open_tty(&master);
	aside_close(tty);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_false(sigismember(&after, SIGTERM));
	assert_false(sigismember(&after, SIGCHLD));
	wait_closed(master);
	close(master);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_a_tty),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_frees_its_locks),
		cmocka_unit_test(test_signals_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
