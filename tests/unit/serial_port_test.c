/* port_open on ptys: what is found, locked, and said. */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "serial/port.h"

struct site {
	int master;
	char pty[64], link[64], lock[128];
	pid_t child;
};

static const struct line plain = { 57600, 8, 1, LINE_PARITY_NONE,
    LINE_FLOW_NONE };

static int
setup(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	s->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->master == -1 || grantpt(s->master) == -1 ||
	    unlockpt(s->master) == -1)
		return -1;
	snprintf(s->pty, sizeof(s->pty), "%s", ptsname(s->master));
	snprintf(s->link, sizeof(s->link), "/tmp/oobd-port-%d-gw",
	    (int)getpid());
	unlink(s->link);
	*state = s;
	return symlink(s->pty, s->link);
}

static int
teardown(void **state)
{
	struct site *s = *state;

	if (s->child != 0) {
		kill(s->child, SIGKILL);
		waitpid(s->child, NULL, 0);
	}
	unlink(s->link);
	if (s->lock[0] != '\0')
		unlink(s->lock);
	close(s->master);
	free(s);
	return 0;
}

static void
test_open_by_link(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	struct termios t;
	char err[PORT_ERROR];

	assert_true(port_present(s->link));
	assert_int_equal(port_open(s->link, &plain, &port, err, sizeof(err)),
	    0);
	assert_string_equal(port.path, s->pty);
	assert_int_equal(port.kind, PORT_TTY);
	assert_string_equal(port.usb, "");
	assert_string_equal(port.warning, "");
	assert_true(fcntl(port.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(port.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(tcgetattr(port.fd, &t), 0);
	assert_int_equal(t.c_cflag & HUPCL, 0);
	assert_int_equal(t.c_iflag & PARMRK, 0);
	assert_int_equal(port_apply(port.fd, port.kind, &plain), 0);
	port_close(port.fd);
	port_unlock(port.path);
	/* The lock is gone with it. */
	assert_int_equal(port_open(s->link, &plain, &port, err, sizeof(err)),
	    0);
	port_close(port.fd);
}

static void
test_close_does_not_wait(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	char err[PORT_ERROR], fill[512];

	assert_int_equal(port_open(s->link, &plain, &port, err, sizeof(err)),
	    0);
	memset(fill, 'x', sizeof(fill));
	while (write(port.fd, fill, sizeof(fill)) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	alarm(5);
	port_close(port.fd);
	alarm(0);
}

static void
test_what_is_missing(void **state)
{
	struct port_opened port;
	char err[PORT_ERROR];

	(void)state;
	assert_false(port_present("/dev/ttyNONE9"));
	assert_int_equal(port_open("/dev/ttyNONE9", &plain, &port, err,
	    sizeof(err)), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(port.fd, -1);
	assert_non_null(strstr(err, "/dev/ttyNONE9: no such device"));

	assert_false(port_present("usb:fffe:fffe"));
	assert_int_equal(port_open("usb:fffe:fffe", &plain, &port, err,
	    sizeof(err)), -1);
	assert_int_equal(errno, ENODEV);
	assert_non_null(strstr(err, "usb:fffe:fffe: no such device"));

	assert_int_equal(port_open("usb:12", &plain, &port, err,
	    sizeof(err)), -1);
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(err, "usb:VID:PID[:SERIAL][:IF]"));

	assert_int_equal(port_open("/dev/null", &plain, &port, err,
	    sizeof(err)), -1);
	assert_int_equal(errno, ENOTTY);
}

/* In a child: have the line, say so, and stay. */
static void
hold(const struct site *s, int tell, bool with_port)
{
	struct port_opened port = { .fd = -1 };
	char err[PORT_ERROR];

	if (with_port) {
		if (port_open(s->link, &plain, &port, err, sizeof(err)) == -1)
			_exit(1);
	} else {
		port.fd = open(s->pty, O_RDWR | O_NOCTTY);
		if (port.fd == -1 || flock(port.fd, LOCK_EX | LOCK_NB) == -1)
			_exit(1);
	}
	if (write(tell, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void
start_holder(struct site *s, bool with_port)
{
	int fds[2];
	char c;

	assert_int_equal(pipe(fds), 0);
	s->child = fork();
	assert_int_not_equal(s->child, -1);
	if (s->child == 0)
		hold(s, fds[1], with_port);
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
}

static void
refused_with_pid(struct site *s, pid_t pid)
{
	struct port_opened port;
	char err[PORT_ERROR], want[128];

	assert_int_equal(port_open(s->link, &plain, &port, err, sizeof(err)),
	    -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(port.fd, -1);
	snprintf(want, sizeof(want), "%s: in use by pid %d (serial_port",
	    s->pty, (int)pid);
	/* The name of a program is cut at 15 characters. */
	if (strncmp(err, want, strlen(want)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", err, want);
}

static void
test_holder_is_named(void **state)
{
	struct site *s = *state;
	struct termios before, after;

	start_holder(s, false);
	assert_int_equal(tcgetattr(s->master, &before), 0);
	refused_with_pid(s, s->child);
	/* Somebody else's line: nothing was set on it. */
	assert_int_equal(tcgetattr(s->master, &after), 0);
	assert_int_equal(before.c_iflag, after.c_iflag);
	assert_int_equal(before.c_cflag, after.c_cflag);
	assert_int_equal(before.c_lflag, after.c_lflag);
	assert_memory_equal(before.c_cc, after.c_cc, sizeof(before.c_cc));
}

static void
test_lock_dies_with_the_holder(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	char err[PORT_ERROR];

	start_holder(s, true);
	refused_with_pid(s, s->child);
	kill(s->child, SIGKILL);
	waitpid(s->child, NULL, 0);
	s->child = 0;
	assert_int_equal(port_open(s->link, &plain, &port, err, sizeof(err)),
	    0);
	port_close(port.fd);
}

/* Opened by one process, held by another: the latter is the one to name. */
static void
test_passed_on_lock_names_the_keeper(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	char err[PORT_ERROR], c;
	int fds[2], status;
	pid_t opener;

	assert_int_equal(pipe(fds), 0);
	opener = fork();
	assert_int_not_equal(opener, -1);
	if (opener == 0) {
		if (port_open(s->link, &plain, &port, err,
		    sizeof(err)) == -1)
			_exit(1);
		s->child = fork();	/* inherits the open file */
		if (s->child == 0) {
			for (;;)
				pause();
		}
		if (write(fds[1], &s->child, sizeof(s->child)) == -1)
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &s->child, sizeof(s->child)),
	    sizeof(s->child));
	assert_int_equal(waitpid(opener, &status, 0), opener);
	assert_int_equal(status, 0);
	refused_with_pid(s, s->child);
	kill(s->child, SIGKILL);
	/* Not our child: wait until the pipe's end is gone with it. */
	while (read(fds[0], &c, 1) > 0)
		;
	close(fds[0]);
	s->child = 0;
}

static void
test_denied_says_what_to_do(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	char err[PORT_ERROR];
	int status;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(s->pty, 0600), 0);
	s->child = fork();
	if (s->child == 0) {
		if (setuid(65534) == -1 || port_open(s->link, &plain, &port,
		    err, sizeof(err)) == 0 || errno != EACCES)
			_exit(1);
		_exit(strstr(err, "permission denied: it is owned by uid 0 "
		    "with mode 600") == NULL);
	}
	assert_int_equal(waitpid(s->child, &status, 0), s->child);
	s->child = 0;
	assert_int_equal(status, 0);
}

static void
test_lock_file_of_others(void **state)
{
	struct site *s = *state;
	struct port_opened port;
	char err[PORT_ERROR], path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/var/lock/LCK..%s",
	    strrchr(s->pty, '/') + 1);
	f = fopen(path, "wx");
	if (f == NULL)
		skip();
	strcpy(s->lock, path);
	/* Alive, but has nothing to do with this device: a stale file. */
	fprintf(f, "%10d\n", (int)getppid());
	fclose(f);
	assert_int_equal(port_open(s->link, &plain, &port, err, sizeof(err)),
	    0);
	/* Now it is ours in truth, only not by a lock. */
	flock(port.fd, LOCK_UN);
	s->child = fork();
	if (s->child == 0) {
		for (;;)
			pause();
	}
	port_close(port.fd);
	f = fopen(path, "w");
	fprintf(f, "%10d\n", (int)s->child);
	fclose(f);
	refused_with_pid(s, s->child);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open_by_link),
		TEST(test_close_does_not_wait),
		TEST(test_what_is_missing),
		TEST(test_holder_is_named),
		TEST(test_lock_dies_with_the_holder),
		TEST(test_passed_on_lock_names_the_keeper),
		TEST(test_denied_says_what_to_do),
		TEST(test_lock_file_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
