#include <sys/socket.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recorded_help.h"
#include "server/base/frame.h"
#include "server/proto.h"
#include "server/reader.h"

struct site {
	struct recorded r;
	int fd;
	pid_t pid;
	char out[3][100000];
	size_t n[3];
	int status;		/* of AN_END, -1: none came */
};

static int
make(void **state)
{
	struct site *t = xcalloc(1, sizeof(*t));

	recorded_begin(&t->r);
	put(t->r.j, 0, "one\r\ntwo\r\n");
	put(t->r.j, 60000, "three\r\n");
	assert_int_equal(journal_flush(t->r.j, ms(60000), JOURNAL_SHOW_ALL), 0);
	*state = t;
	return 0;
}

/* Start a reader on these words (the first one stands for the log folder). */
static void
start(struct site *t, const char *text)
{
	char copy[200], *argv[WORDS_MAX];
	int pair[2], argc = 0;

	t->n[1] = t->n[2] = 0;
	t->status = -1;
	argv[argc++] = t->r.s.dir;
	argv[argc++] = t->r.s.dir;	/* the state folder */
	argc = add_words(argv, argc, copy, text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	t->pid = fork();
	if (t->pid == 0) {
		close(pair[0]);
		_exit(reader_main(pair[1], argc, argv));
	}
	close(pair[1]);
	t->fd = pair[0];
}

static void
on_frame(struct site *t, struct frame *f)
{
	const uint8_t *p;
	unsigned stream;
	size_t n;

	assert_int_equal(frame_u32(f), 0);
	if (f->type == AN_END) {
		t->status = frame_u8(f);
		frame_u64(f);
		assert_true(frame_ok(f));
		return;
	}
	assert_int_equal(f->type, AN_OUT);
	stream = frame_u8(f);
	assert_in_range(stream, 1, 2);
	p = frame_rest(f, &n);
	memcpy(t->out[stream] + t->n[stream], p, n);
	t->n[stream] += n;
	t->out[stream][t->n[stream]] = '\0';
}

/* Read frames until the end, or until stream 1 has this many bytes. */
static void
collect(struct site *t, size_t enough)
{
	static uint8_t in[2 * FRAME_MAX];
	size_t n = 0, used;
	struct frame f;
	ssize_t got;

	t->out[1][t->n[1]] = t->out[2][t->n[2]] = '\0';
	while (t->status == -1 && t->n[1] < enough) {
		got = read(t->fd, in + n, sizeof(in) - n);
		assert_true(got > 0);
		n += (size_t)got;
		while (frame_parse(in, n, &f, &used) == 1) {
			on_frame(t, &f);
			n -= used;
			memmove(in, in + used, n);
		}
	}
}

static int
finish(struct site *t)
{
	int status;

	close(t->fd);
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
keys(struct site *t, const char *text)
{
	static struct frame_out o;

	frame_start(&o, RD_SIZE);
	frame_put_u16(&o, 80);
	frame_put_u16(&o, 24);
	assert_int_equal(frame_finish(&o, 0), 0);
	assert_int_equal(fd_write_all(t->fd, o.block, o.len), 0);
	frame_start(&o, RD_KEYS);
	frame_put_bytes(&o, text, strlen(text));
	assert_int_equal(frame_finish(&o, 0), 0);
	assert_int_equal(fd_write_all(t->fd, o.block, o.len), 0);
}

static void
test_log(void **state)
{
	struct site *t = *state;

	start(t, "log gw --text");
	collect(t, SIZE_MAX);
	assert_string_equal(t->out[1], "one\ntwo\nthree\n");
	assert_string_equal(t->out[2], "");
	assert_int_equal(t->status, ST_OK);
	assert_int_equal(finish(t), ST_OK);
	start(t, "--tty 80 24 log gw --text");
	collect(t, SIZE_MAX);
	assert_string_equal(t->out[1], "one\r\ntwo\r\nthree\r\n");
	finish(t);
}

static void
test_errors(void **state)
{
	struct site *t = *state;

	start(t, "log nosuch");
	collect(t, SIZE_MAX);
	assert_int_equal(t->status, ST_NO_CONSOLE);
	assert_non_null(strstr(t->out[2], "nosuch"));
	assert_int_equal(finish(t), ST_NO_CONSOLE);
	start(t, "log gw --bogus");
	collect(t, SIZE_MAX);
	assert_int_equal(t->status, ST_USAGE);
	finish(t);
	start(t, "reboot gw");
	collect(t, SIZE_MAX);
	assert_int_equal(t->status, ST_USAGE);
	finish(t);
	start(t, "");
	collect(t, SIZE_MAX);
	assert_int_equal(t->status, ST_USAGE);
	finish(t);
}

/* The client leaves: the reader ends by itself, whatever it was doing. */
static void
test_client_gone(void **state)
{
	struct site *t = *state;

	start(t, "log gw --text --follow");
	collect(t, 14);
	assert_string_equal(t->out[1], "one\ntwo\nthree\n");
	finish(t);
	start(t, "replay gw --at 2026-11-22T09:41:00Z");
	collect(t, 8);
	finish(t);
}

static void
test_keys(void **state)
{
	struct site *t = *state;

	/* A minute passes between two and three: nobody waits for it. */
	start(t, "--tty 80 24 replay gw --at 2026-11-22T09:41:00Z");
	collect(t, 10);
	keys(t, "  -+q");
	collect(t, SIZE_MAX);
	assert_int_equal(t->status, ST_OK);
	assert_null(strstr(t->out[1], "three"));
	assert_non_null(strstr(t->out[2], "ended"));
	finish(t);
	start(t, "--tty 80 24 log gw --follow --text");
	collect(t, 17);
	keys(t, "\x03");
	collect(t, SIZE_MAX);
	assert_int_equal(t->status, ST_OK);
	finish(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_log, make, drop),
		cmocka_unit_test_setup_teardown(test_errors, make, drop),
		cmocka_unit_test_setup_teardown(test_client_gone, make, drop),
		cmocka_unit_test_setup_teardown(test_keys, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
