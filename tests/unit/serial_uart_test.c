/*
 * The libserialport path over a pty that passes for a serial port
 * (tests/shim/shim.c): the program starts itself again with the shim.
 */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "serial/icount.h"
#include "serial/parmrk.h"
#include "serial/port.h"

#define DEVICE "/dev/ttyTEST0"

struct site {
	int master;
	char trace[PATH_MAX], counters[PATH_MAX], inject[PATH_MAX];
	char link[PATH_MAX];
};

static const struct line plain = { 57600, 8, 1, LINE_PARITY_NONE,
    LINE_FLOW_NONE };

static int
setup(void **state)
{
	const char *dir = getenv("OOBD_SHIM");
	struct site *s = calloc(1, sizeof(*s));
	char path[PATH_MAX];

	s->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->master == -1 || grantpt(s->master) == -1 ||
	    unlockpt(s->master) == -1)
		return -1;
	snprintf(s->trace, sizeof(s->trace), "%s", getenv("OOBD_SHIM_TRACE"));
	snprintf(s->counters, sizeof(s->counters), "%s",
	    getenv("OOBD_SHIM_COUNTERS"));
	snprintf(s->inject, sizeof(s->inject), "%s",
	    getenv("OOBD_SHIM_INJECT"));
	snprintf(s->link, sizeof(s->link), "%s/ttyTEST0", dir);
	snprintf(path, sizeof(path), "%.4000s.ttyTEST0", s->trace);
	unlink(path);
	unlink(s->trace);
	unlink(s->counters);
	unlink(s->link);
	unsetenv("OOBD_SHIM_BLIND");
	*state = s;
	return symlink(ptsname(s->master), s->link);
}

static int
teardown(void **state)
{
	struct site *s = *state;

	unlink(s->link);
	close(s->master);
	free(s);
	return 0;
}

/* How many lines of the trace are this call (and hold this text). */
static unsigned
traced(const struct site *s, const char *call, const char *text)
{
	char row[512], word[64];
	unsigned n = 0;
	FILE *f;

	f = fopen(s->trace, "r");
	assert_non_null(f);
	while (fgets(row, sizeof(row), f) != NULL)
		if (sscanf(row, "%*d %*d %63s", word) == 1 &&
		    strcmp(word, call) == 0 && strstr(row, text) != NULL)
			n++;
	fclose(f);
	return n;
}

/* Neither BREAK nor a fall of DTR or RTS; nor would a last close make one. */
static void
assert_undisturbed(const struct site *s)
{
	assert_int_equal(traced(s, "DROP", ""), 0);
	assert_int_equal(traced(s, "TIOCSBRK", ""), 0);
	assert_int_equal(traced(s, "tcsendbreak", ""), 0);
	assert_int_equal(traced(s, "close", "hupcl=1"), 0);
	assert_int_equal(traced(s, "RAISE", ""), 1);
}

static void
open_port(struct port_opened *port, const struct line *line)
{
	char err[PORT_ERROR];

	if (port_open(DEVICE, line, port, err, sizeof(err)) == -1)
		fail_msg("%s", err);
}

static void
test_open_disturbs_nothing(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	struct termios t;

	/* As a fresh tty is: HUPCL, echo and all. */
	assert_int_equal(tcgetattr(s->master, &t), 0);
	t.c_cflag |= HUPCL;
	t.c_lflag |= ECHO | ICANON;
	assert_int_equal(tcsetattr(s->master, TCSANOW, &t), 0);
	assert_true(port_present(DEVICE));
	unlink(s->trace);

	open_port(&port, &plain);
	assert_string_equal(port.path, DEVICE);
	assert_int_equal(port.kind, PORT_UART);
	assert_string_equal(port.warning, "");
	/* Ours, and then libserialport's. */
	assert_int_equal(traced(s, "open", "fd="), 2);
	assert_int_equal(traced(s, "TIOCEXCL", ""), 1);
	assert_undisturbed(s);

	assert_int_equal(tcgetattr(s->master, &t), 0);
	assert_int_equal(t.c_iflag, PARMRK | INPCK);
	assert_int_equal(t.c_lflag, 0);
	assert_int_equal(t.c_cflag & HUPCL, 0);
	assert_true(fcntl(port.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(port.fd, F_GETFD) & FD_CLOEXEC);
	port_close(port.fd);
	assert_undisturbed(s);
}

static void
test_lock_is_on_what_is_passed_on(void **state)
{
	struct site *s = *state;
	struct port_opened port, second;
	char err[PORT_ERROR];
	int fd;

	open_port(&port, &plain);
	fd = open(DEVICE, O_RDWR | O_NOCTTY | O_NONBLOCK);
	assert_int_not_equal(fd, -1);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(fd);
	assert_int_equal(port_open(DEVICE, &plain, &second, err, sizeof(err)),
	    -1);
	assert_int_equal(errno, EBUSY);
	assert_non_null(strstr(err, DEVICE ": in use by"));
	assert_undisturbed(s);
	port_close(port.fd);
}

static void
send_fd(int to, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} u = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = &(char){ 'x' }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &u, .msg_controllen = sizeof(u) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(to, &msg, 0) != 1)
		_exit(1);
}

static int
receive_fd(int from)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} u;
	char c;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &u, .msg_controllen = sizeof(u) };
	int fd;

	assert_int_equal(recvmsg(from, &msg, 0), 1);
	assert_non_null(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* A helper process opens, passes the descriptor on, and is killed. */
static int
open_elsewhere(void)
{
	struct port_opened port;
	char err[PORT_ERROR];
	int pair[2], fd;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		if (port_open(DEVICE, &plain, &port, err, sizeof(err)) == -1)
			_exit(1);
		send_fd(pair[1], port.fd);
		for (;;)
			pause();
	}
	fd = receive_fd(pair[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pair[0]);
	close(pair[1]);
	return fd;
}

/*
 * A close is a thread's.  Who opens next has HUPCL on for a moment, and is not
 * to be taken for the one that left it on.
 */
static void
close_and_see(const struct site *s, int fd)
{
	unsigned before = traced(s, "close", "");

	port_close(fd);
	for (int i = 0; i < 1000 && traced(s, "close", "") == before; i++)
		usleep(10000);
	assert_int_equal(traced(s, "close", ""), before + 1);
}

static void
test_pass_kill_reopen(void **state)
{
	struct site *s = *state;
	struct termios t;
	unsigned i;
	int fd;

	for (i = 0; i < 3; i++) {
		fd = open_elsewhere();
		assert_int_equal(port_apply(fd, PORT_UART, &plain), 0);
		assert_int_equal(write(fd, "hello", 5), 5);
		assert_int_equal(tcgetattr(s->master, &t), 0);
		assert_int_equal(t.c_cflag & HUPCL, 0);
		close_and_see(s, fd);
	}
	assert_int_equal(traced(s, "open", "fd="), 6);
	assert_undisturbed(s);
}

static void
test_apply_again_touches_nothing(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	struct line line = plain;

	open_port(&port, &plain);
	unlink(s->trace);
	assert_int_equal(port_apply(port.fd, port.kind, &plain), 0);
	assert_int_equal(access(s->trace, F_OK), -1);

	line.speed = 9600;
	line.data_bits = 7;
	line.parity = LINE_PARITY_EVEN;
	assert_int_equal(port_apply(port.fd, port.kind, &line), 0);
	assert_int_equal(traced(s, "TCSETS2", "speed=9600"), 1);
	line.flow = LINE_FLOW_RTSCTS;
	assert_int_equal(port_apply(port.fd, port.kind, &line), 0);
	assert_int_equal(port_apply(port.fd, port.kind, &plain), 0);
	assert_int_equal(traced(s, "DROP", ""), 0);
	assert_int_equal(traced(s, "TIOCSBRK", ""), 0);
	port_close(port.fd);
}

/*
 * A driver that does not report DTR and RTS: libserialport would write back
 * "off".  First that the trace would show it, then that it does not happen.
 */
static void
test_driver_that_hides_its_lines(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	int fd, bits = TIOCM_DTR;

	setenv("OOBD_SHIM_BLIND", "1", 1);
	fd = open(DEVICE, O_RDWR | O_NOCTTY | O_NONBLOCK);
	assert_int_equal(ioctl(fd, TIOCMBIC, &bits), 0);
	assert_int_equal(ioctl(fd, TIOCMBIS, &bits), 0);
	close(fd);
	assert_int_equal(traced(s, "DROP", "DTR"), 1);
	unlink(s->trace);

	open_port(&port, &plain);
	assert_int_equal(port.kind, PORT_UART);
	assert_non_null(strstr(port.warning, "does not report DTR and RTS"));
	assert_int_equal(traced(s, "open", "fd="), 1);
	assert_int_equal(traced(s, "DROP", ""), 0);
	port_close(port.fd);
}

static void
test_break_only_when_asked(void **state)
{
	struct site *s = *state;
	struct port_opened port;

	open_port(&port, &plain);
	assert_undisturbed(s);
	assert_int_equal(port_break(port.fd, true), 0);
	assert_int_equal(traced(s, "TIOCSBRK", ""), 1);
	assert_int_equal(traced(s, "TIOCCBRK", ""), 0);
	assert_int_equal(port_break(port.fd, false), 0);
	assert_int_equal(traced(s, "TIOCCBRK", ""), 1);
	assert_int_equal(traced(s, "TIOCSBRK", ""), 1);
	port_close(port.fd);
}

static void
test_counters(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	struct icount c;
	FILE *f;

	open_port(&port, &plain);
	assert_int_equal(icount_read(port.fd, &c), 0);
	assert_int_equal(c.brk, 0);
	f = fopen(s->counters, "w");
	fprintf(f, "ttyTEST1 9 9 9 9 9\nttyTEST0 1 2 3 4 5\n");
	fclose(f);
	assert_int_equal(icount_read(port.fd, &c), 0);
	assert_int_equal(c.frame, 1);
	assert_int_equal(c.overrun, 2);
	assert_int_equal(c.parity, 3);
	assert_int_equal(c.brk, 4);
	assert_int_equal(c.buf_overrun, 5);
	port_close(port.fd);
}

static size_t
read_decoded(int fd, struct parmrk *m, uint8_t *dst, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint8_t in[256], out[257];
	size_t got = 0, n;
	ssize_t len;

	while (poll(&pfd, 1, 300) == 1) {
		len = read(fd, in, sizeof(in));
		if (len <= 0)
			break;
		n = parmrk_decode(m, in, (size_t)len, out);
		assert_true(got + n <= size);
		memcpy(dst + got, out, n);
		got += n;
	}
	return got;
}

static void
test_all_values_with_marks(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	struct pollfd pfd = { .fd = s->master, .events = POLLIN };
	struct parmrk m = { 0 };
	uint8_t all[256], in[600];
	ssize_t n;
	size_t i;

	open_port(&port, &plain);
	for (i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	assert_int_equal(write(s->master, all, sizeof(all)), sizeof(all));
	assert_int_equal(read_decoded(port.fd, &m, in, sizeof(in)),
	    sizeof(all));
	assert_memory_equal(in, all, sizeof(all));
	assert_int_equal(m.breaks + m.errors, 0);
	assert_int_equal(write(port.fd, all, sizeof(all)), sizeof(all));
	for (i = 0; i < sizeof(all); i += (size_t)n) {
		assert_int_equal(poll(&pfd, 1, 10000), 1);
		n = read(s->master, in + i, sizeof(in) - i);
		assert_true(n > 0);
	}
	assert_int_equal(i, sizeof(all));
	assert_memory_equal(in, all, sizeof(all));
	port_close(port.fd);
}

static void
test_break_and_error_received(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	struct parmrk m = { 0 };
	char tmp[PATH_MAX + 8];
	uint8_t in[64];
	FILE *f;

	open_port(&port, &plain);
	snprintf(tmp, sizeof(tmp), "%s.new", s->inject);
	f = fopen(tmp, "w");
	fwrite("a\xff\0\0b\xff\0x", 1, 8, f);
	fclose(f);
	assert_int_equal(rename(tmp, s->inject), 0);
	assert_int_equal(write(s->master, "c", 1), 1);
	assert_int_equal(read_decoded(port.fd, &m, in, sizeof(in)), 4);
	assert_memory_equal(in, "abxc", 4);
	assert_int_equal(m.breaks, 1);
	assert_int_equal(m.errors, 1);
	port_close(port.fd);
}

static void
test_unplug(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	char err[PORT_ERROR];

	assert_int_equal(unlink(s->link), 0);
	assert_false(port_present(DEVICE));
	assert_int_equal(port_open(DEVICE, &plain, &port, err, sizeof(err)),
	    -1);
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(err, DEVICE ": no such device"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int
run_all(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open_disturbs_nothing),
		TEST(test_lock_is_on_what_is_passed_on),
		TEST(test_pass_kill_reopen),
		TEST(test_apply_again_touches_nothing),
		TEST(test_driver_that_hides_its_lines),
		TEST(test_break_only_when_asked),
		TEST(test_counters),
		TEST(test_all_values_with_marks),
		TEST(test_break_and_error_received),
		TEST(test_unplug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

static void
put_env(const char *name, const char *dir, const char *file)
{
	char text[PATH_MAX];

	snprintf(text, sizeof(text), "%s/%s", dir, file);
	setenv(name, text, 1);
}

/* Run ourselves again, in the world of the shim. */
static int
run_with_shim(char *argv0)
{
	char dir[] = "/tmp/oobd-uart-XXXXXX", shim[PATH_MAX], cmd[64];
	char self[PATH_MAX];
	char *args[] = { self, NULL };
	int status;
	pid_t pid;

	if (realpath(argv0, self) == NULL || mkdtemp(dir) == NULL)
		return 1;
	snprintf(shim, sizeof(shim), "%s", self);
	put_env("LD_PRELOAD", dirname(shim), "shim.so");
	put_env("OOBD_SHIM", dir, "");
	put_env("OOBD_SHIM_TRACE", dir, "trace");
	put_env("OOBD_SHIM_COUNTERS", dir, "counters");
	put_env("OOBD_SHIM_INJECT", dir, "inject");
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	pid = fork();
	if (pid == 0) {
		execv(self, args);
		_exit(127);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return 1;
	unsetenv("LD_PRELOAD");
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (system(cmd) != 0 || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status);
}

int
main(int argc, char *argv[])
{
	(void)argc;
	return getenv("OOBD_SHIM") == NULL ? run_with_shim(argv[0]) :
	    run_all();
}
