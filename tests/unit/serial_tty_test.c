#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "serial/icount.h"
#include "serial/port.h"
#include "serial/speed.h"
#include "serial/tty.h"

struct pair {
	int master, slave;
	char path[64];
};

static const struct line plain = { 57600, 8, 1, LINE_PARITY_NONE,
    LINE_FLOW_NONE };

static int
setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	char err[256];

	p->master = posix_openpt(O_RDWR | O_NOCTTY);
	if (p->master == -1 || grantpt(p->master) == -1 ||
	    unlockpt(p->master) == -1)
		return -1;
	snprintf(p->path, sizeof(p->path), "%s", ptsname(p->master));
	p->slave = tty_open(p->path, err, sizeof(err));
	*state = p;
	return p->slave == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	struct pair *p = *state;

	close(p->slave);
	close(p->master);
	free(p);
	return 0;
}

/* Read exactly n bytes, or fewer when nothing comes for 300 ms. */
static size_t
read_n(int fd, uint8_t *dst, size_t n)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t got = 0;
	ssize_t len;

	while (got < n && poll(&pfd, 1, 300) == 1) {
		len = read(fd, dst + got, n - got);
		if (len <= 0)
			break;
		got += (size_t)len;
	}
	return got;
}

static void
pass_all_values(int from, int to)
{
	uint8_t out[512], in[600];
	size_t i;

	for (i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)i;
	assert_int_equal(write(from, out, sizeof(out)), sizeof(out));
	assert_int_equal(read_n(to, in, sizeof(in)), sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
}

static void
test_all_values_both_ways(void **state)
{
	struct pair *p = *state;

	assert_int_equal(tty_apply(p->slave, false, &plain), 0);
	pass_all_values(p->slave, p->master);
	pass_all_values(p->master, p->slave);
	/* The 0x13 that came by has not stopped us either. */
	pass_all_values(p->slave, p->master);
}

/* The kernel may take its time with what was written to the other end. */
static ssize_t
write_until(int fd, bool goes)
{
	ssize_t n = -1;

	for (int i = 0; i < 10; i++) {
		n = write(fd, "x", 1);
		if ((n == 1) == goes)
			break;
		usleep(i < 5 ? 20000 : 1000000);
	}
	return n;
}

static void
test_xonxoff_stops_and_goes(void **state)
{
	struct pair *p = *state;
	struct line line = plain;
	uint8_t got[16];

	line.flow = LINE_FLOW_XONXOFF;
	assert_int_equal(tty_apply(p->slave, false, &line), 0);
	assert_int_equal(write(p->master, "\x13", 1), 1);
	assert_int_equal(write_until(p->slave, false), -1);
	assert_int_equal(errno, EAGAIN);
	(void)read_n(p->master, got, sizeof(got));
	usleep(20000);
	assert_int_equal(write(p->slave, "x", 1), -1);
	assert_int_equal(write(p->master, "\x11", 1), 1);
	assert_int_equal(write_until(p->slave, true), 1);
	assert_int_equal(read_n(p->master, got, sizeof(got)), 1);
	/* And back to none: clean again. */
	assert_int_equal(tty_apply(p->slave, false, &plain), 0);
	pass_all_values(p->master, p->slave);
}

static void
test_nothing_is_echoed(void **state)
{
	struct pair *p = *state;
	uint8_t got[16];

	assert_int_equal(tty_apply(p->slave, false, &plain), 0);
	assert_int_equal(write(p->master, "login: \r\n\x03\x1a", 11), 11);
	assert_int_equal(read_n(p->master, got, sizeof(got)), 0);
}

static void
test_any_speed(void **state)
{
	static const uint32_t speeds[] = { 50, 300, 1200, 9600, 57600, 74880,
	    115200, 123456, 250000, 921600, 3000000 };
	struct pair *p = *state;
	struct line line = plain;
	char err[256];
	uint32_t is;
	size_t i;

	for (i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		line.speed = speeds[i];
		assert_int_equal(tty_apply(p->slave, false, &line), 0);
		assert_int_equal(tty_check(p->slave, false, &line, err,
		    sizeof(err)), 0);
		assert_int_equal(speed_get(p->slave, &is), 0);
		assert_int_equal(is, speeds[i]);
	}
	assert_int_equal(speed_set(p->slave, 0), -1);
}

static void
test_flags(void **state)
{
	struct pair *p = *state;
	struct termios t;

	/* The worst a shell could have left behind. */
	assert_int_equal(tcgetattr(p->slave, &t), 0);
	t.c_iflag |= ISTRIP | IXON | IXOFF | IXANY | ICRNL | INLCR | IGNPAR |
	    IGNBRK | BRKINT;
	t.c_cflag |= HUPCL | CSTOPB;
	t.c_cflag &= ~(tcflag_t)CLOCAL;
	assert_int_equal(tcsetattr(p->slave, TCSANOW, &t), 0);

	assert_int_equal(tty_apply(p->slave, true, &plain), 0);
	assert_int_equal(tcgetattr(p->slave, &t), 0);
	assert_int_equal(t.c_iflag, PARMRK | INPCK);
	assert_int_equal(t.c_oflag, 0);
	assert_int_equal(t.c_lflag, 0);
	assert_int_equal(t.c_cflag & (HUPCL | CSTOPB | CRTSCTS), 0);
	assert_int_equal(t.c_cflag & (CLOCAL | CREAD), CLOCAL | CREAD);

	assert_int_equal(tty_apply(p->slave, false, &plain), 0);
	assert_int_equal(tcgetattr(p->slave, &t), 0);
	assert_int_equal(t.c_iflag, 0);
}

static void
test_check_sees_what_was_not_taken(void **state)
{
	struct pair *p = *state;
	struct line line = plain;
	struct termios t;
	char err[256];

	assert_int_equal(tty_apply(p->slave, true, &plain), 0);
	assert_int_equal(tty_check(p->slave, true, &plain, err, sizeof(err)),
	    0);
	line.speed = 9600;
	assert_int_equal(tty_check(p->slave, true, &line, err, sizeof(err)),
	    1);
	assert_string_equal(err,
	    "the driver runs the line at 57600 bit/s instead of 9600");
	/* 2 % off is what a clock divider does. */
	line.speed = 56500;
	assert_int_equal(tty_check(p->slave, true, &line, err, sizeof(err)),
	    0);
	line = plain;
	line.data_bits = 7;
	line.parity = LINE_PARITY_EVEN;
	assert_int_equal(tty_check(p->slave, true, &line, err, sizeof(err)),
	    1);
	assert_string_equal(err, "the driver did not take the mode");
	/* A pty has no parity: nothing to report. */
	assert_int_equal(tty_apply(p->slave, false, &line), 0);
	assert_int_equal(tty_check(p->slave, false, &line, err, sizeof(err)),
	    0);
	assert_int_equal(tcgetattr(p->slave, &t), 0);
	t.c_cflag |= HUPCL;
	assert_int_equal(tcsetattr(p->slave, TCSANOW, &t), 0);
	assert_int_equal(tty_check(p->slave, true, &plain, err, sizeof(err)),
	    1);
}

static void
test_nonsense_is_refused(void **state)
{
	struct line line = { 0, 8, 1, LINE_PARITY_NONE, LINE_FLOW_NONE };
	struct pair *p = *state;

	assert_int_equal(tty_apply(p->slave, false, &line), -1);
	assert_int_equal(errno, EINVAL);
	line.speed = 9600;
	line.data_bits = 9;
	assert_int_equal(tty_apply(p->slave, false, &line), -1);
	assert_int_equal(errno, EINVAL);
}

static void
test_open_says_what_is_wrong(void **state)
{
	char err[256];

	(void)state;
	assert_int_equal(tty_open("/dev/ttyNONE9", err, sizeof(err)), -1);
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(err, "/dev/ttyNONE9: no such device"));
	assert_int_equal(tty_open("/dev/null", err, sizeof(err)), -1);
	assert_int_equal(errno, ENOTTY);
	assert_string_equal(err, "/dev/null: not a serial device");
	assert_int_equal(tty_open("/tmp", err, sizeof(err)), -1);
	assert_int_equal(errno, ENOTTY);
}

static void
test_a_pty_has_no_break(void **state)
{
	struct pair *p = *state;
	struct icount c;

	assert_int_equal(port_break(p->slave, true), -1);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(icount_read(p->slave, &c), -1);
	assert_int_equal(errno, ENOTTY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_values_both_ways),
		TEST(test_xonxoff_stops_and_goes),
		TEST(test_nothing_is_echoed),
		TEST(test_any_speed),
		TEST(test_flags),
		TEST(test_check_sees_what_was_not_taken),
		TEST(test_nonsense_is_refused),
		TEST(test_open_says_what_is_wrong),
		TEST(test_a_pty_has_no_break),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
