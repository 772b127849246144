#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "server/base/mem.h"
#include "server/base/pass.h"

static bool halting;		/* sendmsg(2) does what it may */
static unsigned calls;

/* Each other call is interrupted, and the rest take a few bytes. */
ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct msghdr some = *msg;
	struct iovec iov;

	if (halting && calls++ % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	iov = *msg->msg_iov;
	if (halting && iov.iov_len > 99)
		iov.iov_len = 99;
	some.msg_iov = &iov;
	return syscall(SYS_sendmsg, fd, &some, flags);
}

static struct frame_out *
a_frame(const char *text)
{
	struct frame_out *out = xmalloc(sizeof(*out));

	frame_start(out, 7);
	frame_put_str(out, text);
	return out;
}

/* Everything that is there; how many times a descriptor came, in *fds. */
static size_t
take_all(int sock, uint8_t *p, size_t max, int *fds)
{
	size_t n = 0;
	ssize_t got;
	int fd;

	*fds = 0;
	for (;;) {
		fd = -1;
		got = pass_receive(sock, p + n, max - n, &fd);
		if (fd != -1) {
			(*fds)++;
			close(fd);
		}
		if (got <= 0)
			return n;
		n += (size_t)got;
	}
}

static void
try(int with, int fds_wanted)
{
	char text[4000];
	static uint8_t got[8192];
	struct frame_out *out;
	struct frame f;
	size_t n, used;
	int pair[2], fds;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	out = a_frame(text);
	assert_int_equal(pass_send(pair[0], out, with), 0);
	close(pair[0]);
	n = take_all(pair[1], got, sizeof(got), &fds);
	close(pair[1]);
	assert_int_equal(n, out->len);
	assert_int_equal(fds, fds_wanted);
	assert_int_equal(frame_parse(got, n, &f, &used), 1);
	assert_int_equal(used, n);
	assert_int_equal(f.type, 7);
	freezero(out, sizeof(*out));
}

static void
test_with_and_without(void **state)
{
	(void)state;
	try(STDIN_FILENO, 1);
	try(-1, 0);
}

static void
test_a_little_at_a_time(void **state)
{
	(void)state;
	halting = true;
	try(STDIN_FILENO, 1);
	try(-1, 0);
	halting = false;
	assert_true(calls > 4);
}

/* It never blocks, and says so. */
static void
test_no_room(void **state)
{
	struct frame_out *out = a_frame("one more");
	char block[4096] = "";
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	while (send(pair[0], block, sizeof(block), MSG_DONTWAIT) > 0)
		continue;
	errno = 0;
	assert_int_equal(pass_send(pair[0], out, STDIN_FILENO), -1);
	assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
	close(pair[0]);
	close(pair[1]);
	freezero(out, sizeof(*out));
}

/* The other end is gone: an error, no signal. */
static void
test_nobody(void **state)
{
	struct frame_out *out = a_frame("anybody?");
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	assert_int_equal(pass_send(pair[0], out, -1), -1);
	assert_int_equal(errno, EPIPE);
	close(pair[0]);
	freezero(out, sizeof(*out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_and_without),
		cmocka_unit_test(test_a_little_at_a_time),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
