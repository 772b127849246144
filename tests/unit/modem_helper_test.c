#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "modem/at_port.h"
#include "modem/helper.h"
#include "modem/pinlog.h"
#include "modem/usbreset.h"

static struct loop *loop;

struct end {
	int status;
	char why[64];
};

static void
on_done(void *arg, int status, const char *why)
{
	struct end *e = arg;

	e->status = status;
	snprintf(e->why, sizeof(e->why), "%s", why);
	loop_stop(loop, 0);
}

static void
run_shell(struct end *e, const char *script, int64_t ms)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct mono began = mono_now();

	e->status = 4711;
	assert_non_null(helper_exec(loop, argv, ms, on_done, e));
	loop_run(loop);
	assert_true(mono_ms(began, mono_now()) < 5000);
}

static void
test_exec(void **state)
{
	const char *const missing[] = { "/nonexistent/hook", NULL };
	struct end e;

	(void)state;
	run_shell(&e, "exit 0", 5000);
	assert_int_equal(e.status, 0);
	run_shell(&e, "exit 3", 5000);
	assert_int_equal(e.status, 3);
	assert_string_equal(e.why, "exit status 3");
	run_shell(&e, "kill -9 $$", 5000);
	assert_int_equal(e.status, -1);
	/* Too long, with a child of its own and deaf to signals. */
	run_shell(&e, "trap '' TERM INT HUP; sleep 100 & wait", 300);
	assert_int_equal(e.status, -1);
	assert_non_null(helper_exec(loop, missing, 5000, on_done, &e));
	loop_run(loop);
	assert_int_equal(e.status, 127);
}

/* Nothing of ours is open in it but the standard streams. */
static void
test_exec_is_bare(void **state)
{
	struct end e;
	int fd = open("/dev/null", O_RDONLY);	/* not close-on-exec */

	(void)state;
	assert_true(fd > 2);
	run_shell(&e, "for f in /proc/self/fd/* /dev/fd/*; do n=${f##*/};"
	    " case $n in 0|1|2|10|255|'*') ;; *) [ -e $f ] &&"
	    " [ \"$(readlink $f)\" = /dev/null ] && exit 9;; esac; done;"
	    " [ -z \"$HOME\" ] || exit 8; exit 0", 5000);
	assert_int_equal(e.status, 0);
	close(fd);
}

static int
seven(const char *word)
{
	return strcmp(word, "word") == 0 ? 7 : 8;
}

static int
for_ever(const char *word)
{
	(void)word;
	sleep(1000);
	return 0;
}

static void
test_call(void **state)
{
	struct helper *h;
	struct end e = { .status = 4711 };

	(void)state;
	helper_call(loop, seven, "word", 5000, on_done, &e);
	loop_run(loop);
	assert_int_equal(e.status, 7);
	helper_call(loop, for_ever, "", 200, on_done, &e);
	loop_run(loop);
	assert_int_equal(e.status, -1);
	/* Freed: no callback, no zombie. */
	e.status = 4711;
	h = helper_call(loop, for_ever, "", 60000, on_done, &e);
	helper_free(h);
	assert_int_equal(e.status, 4711);
	helper_free(NULL);
	/* A tty that is none of USB. */
	helper_call(loop, usbreset, "/dev/null", 5000, on_done, &e);
	loop_run(loop);
	assert_int_equal(e.status, 1);
	assert_true(strlen(usbreset_text(1)) > 0);
	assert_true(strlen(usbreset_text(3)) > 0);
}

static void
test_pinlog(void **state)
{
	char dir[] = "/tmp/oobd-pin-XXXXXX", path[64], sim[16], text[2048];
	struct stat st;
	size_t n;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pin", dir);
	assert_int_equal(pinlog_look(path, "8943", "1234"), PINLOG_FRESH);
	assert_int_equal(pinlog_clear(path, "8943"), 0);
	assert_int_equal(pinlog_begin(path, "8943", "1234"), 0);
	assert_int_equal(pinlog_look(path, "8943", "1234"), PINLOG_TRIED);
	assert_int_equal(pinlog_look(path, "8943", "1235"), PINLOG_FRESH);
	assert_int_equal(pinlog_look(path, "8944", "1234"), PINLOG_FRESH);
	assert_int_equal(pinlog_look(path, NULL, "1234"), PINLOG_TRIED);
	assert_int_equal(pinlog_look(path, NULL, "1235"), PINLOG_FRESH);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	f = fopen(path, "r");
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_null(strstr(text, "1234"));
	/* A second PIN on the same SIM does not hide the first. */
	assert_int_equal(pinlog_begin(path, "8943", "9999"), 0);
	assert_int_equal(pinlog_look(path, "8943", "1234"), PINLOG_TRIED);
	assert_int_equal(pinlog_clear(path, "8943"), 0);
	assert_int_equal(pinlog_look(path, "8943", "1234"), PINLOG_FRESH);
	assert_int_equal(pinlog_look(path, "8943", "9999"), PINLOG_FRESH);
	for (int i = 0; i < 2 * PINLOG_MAX; i++) {
		snprintf(sim, sizeof(sim), "sim-%d", i);
		assert_int_equal(pinlog_begin(path, sim, "1"), 0);
	}
	assert_int_equal(pinlog_look(path, sim, "1"), PINLOG_TRIED);
	assert_int_equal(pinlog_look(path, "sim-0", "1"), PINLOG_FRESH);
	/* What cannot be written or named is not begun. */
	assert_int_equal(pinlog_begin(path, "two words", "1"), -1);
	assert_int_equal(pinlog_begin(path, "", "1"), -1);
	assert_int_equal(pinlog_begin("/nonexistent/x/pin", "8943", "1"), -1);
	/* Half a file is no empty list. */
	assert_int_equal(truncate(path, 60), 0);
	assert_int_equal(pinlog_look(path, "8943", "1"), PINLOG_BROKEN);
	assert_int_equal(pinlog_begin(path, "8943", "1"), -1);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(pinlog_look(path, "8943", "1"), PINLOG_BROKEN);
	unlink(path);
	rmdir(dir);
}

struct tap {
	struct at_port *port;
	char got[256];
	size_t n;
	unsigned calls, gone;
	int released;
	bool release_at_cr;
};

static void
on_input(void *arg, const uint8_t *p, size_t n)
{
	struct tap *t = arg;

	t->calls++;
	assert_true(t->n + n < sizeof(t->got));
	memcpy(t->got + t->n, p, n);
	t->n += n;
	if (t->release_at_cr && p[n - 1] == '\r') {
		t->released = at_port_release(t->port);
		t->port = NULL;
		loop_stop(loop, 0);
	}
}

static void
on_gone(void *arg, const char *why)
{
	struct tap *t = arg;

	assert_true(strlen(why) > 0);
	t->gone++;
	assert_int_equal(at_port_write(t->port, "x", 1), -1);
	at_port_free(t->port);
	t->port = NULL;
	loop_stop(loop, 0);
}

static const struct at_port_ops port_ops = { on_input, on_gone };

static void
on_late(void *arg)
{
	(void)arg;
	loop_stop(loop, 0);
}

static void
run(int64_t ms)
{
	struct timer *t = timer_new(loop, on_late, NULL);

	timer_set(t, ms);
	loop_run(loop);
	timer_free(t);
}

/* Bytes behind a CR stay in the kernel for whoever gets the line. */
static void
test_port_slow(void **state)
{
	char buf[64];
	struct tap t = { .release_at_cr = true };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	t.port = at_port_new(loop, pair[0], &port_ops, &t);
	at_port_slow(t.port, true);
	assert_int_equal(write(pair[1], "CONNECT\r\n~PPP~", 14), 14);
	run(1000);
	assert_int_equal(t.n, 8);
	assert_int_equal(t.calls, 8);
	assert_int_equal(t.released, pair[0]);
	assert_int_equal(read(pair[0], buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "\n~PPP~", 6);
	close(pair[0]);
	close(pair[1]);
}

static void
test_port_pty(void **state)
{
	char name[64], buf[64];
	struct termios tio;
	struct tap t = { .released = -1 };
	int master, slave;

	(void)state;
	master = posix_openpt(O_RDWR | O_NOCTTY);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	snprintf(name, sizeof(name), "%s", ptsname(master));
	slave = open(name, O_RDWR | O_NOCTTY);
	/* As PPP may have left it. */
	assert_int_equal(tcgetattr(slave, &tio), 0);
	tio.c_cflag |= HUPCL | CRTSCTS;
	tio.c_cflag &= ~(tcflag_t)CLOCAL;
	tcsetattr(slave, TCSANOW, &tio);
	t.port = at_port_new(loop, slave, &port_ops, &t);
	assert_int_equal(at_port_fd(t.port), slave);
	assert_int_equal(tcgetattr(slave, &tio), 0);
	assert_true(tio.c_cflag & CLOCAL);
	assert_false(tio.c_cflag & (HUPCL | CRTSCTS));
	assert_false(tio.c_lflag & (ECHO | ICANON | ISIG));
	assert_false(tio.c_iflag & (ICRNL | IXON | PARMRK));
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(at_port_write(t.port, "AT\r", 3), 0);
	assert_int_equal(read(master, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "AT\r", 3);
	assert_int_equal(write(master, "\r\nOK\r\n", 6), 6);
	run(50);
	assert_int_equal(t.n, 6);
	assert_memory_equal(t.got, "\r\nOK\r\n", 6);
	/* The other end goes: closed before anybody is told. */
	close(master);
	run(1000);
	assert_int_equal(t.gone, 1);
	assert_int_equal(fcntl(slave, F_GETFD), -1);
}

/* A modem that takes nothing costs a bounded queue, and no time. */
static void
test_port_full(void **state)
{
	char block[1024] = { 0 }, buf[4096];
	struct tap t = { .released = -1 };
	size_t taken = 0;
	int pair[2], i;
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	t.port = at_port_new(loop, pair[0], &port_ops, &t);
	for (i = 0; i < 10000 && at_port_write(t.port, block,
	    sizeof(block)) == 0; i++)
		continue;
	assert_in_range(i, 9, 9999);
	/* Then all that was accepted arrives. */
	for (int k = 0; k < 10000 && taken < (size_t)i * sizeof(block); k++) {
		while ((n = read(pair[1], buf, sizeof(buf))) > 0)
			taken += (size_t)n;
		run(1);
	}
	assert_int_equal(taken, (size_t)i * sizeof(block));
	close(pair[1]);
	run(1000);
	assert_int_equal(t.gone, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exec_is_bare),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_pinlog),
		cmocka_unit_test(test_port_slow),
		cmocka_unit_test(test_port_pty),
		cmocka_unit_test(test_port_full),
	};
	int r;

	signal(SIGPIPE, SIG_IGN);
	setenv("HOME", "/root", 1);
	loop = loop_new();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(loop);
	return r;
}
