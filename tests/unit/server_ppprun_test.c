/* What is refused, and how a PPP that cannot work is told of. */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/link.h"
#include "server/pppleft.h"
#include "server/ppprun.h"
#include "server/proto.h"

static struct loop *loop;	/* signals come to one per process */
static char folder[] = "/tmp/oobd-ppprun-XXXXXX", program[4096];

struct world {
	struct loop *loop;
	struct children *children;
	struct link *there, *here;
	struct ppprun *run;
	struct config_modem modem;
	struct config conf;
	struct timer *limit;
	unsigned ended, routes, others;
	char failure[64], text[512], why[512];
};

static int
on_frame(void *arg, struct frame *f, int fd)
{
	struct world *w = arg;
	char word[512];
	uint8_t state;

	assert_int_equal(fd, -1);
	if (f->type == SV_ROUTE) {
		frame_str(f, word, sizeof(word));
		frame_str(f, w->why, sizeof(w->why));
		assert_true(frame_ok(f));
		w->routes++;
		loop_stop(w->loop, 0);
		return 0;
	}
	assert_int_equal(f->type, SV_PPP);
	state = frame_u8(f);
	for (int i = 0; i < 4; i++)
		frame_str(f, word, sizeof(word));
	frame_str(f, w->failure, sizeof(w->failure));
	frame_str(f, w->text, sizeof(w->text));
	assert_true(frame_ok(f));
	if (state == PPP_ENDED) {
		w->ended++;
		loop_stop(w->loop, 0);
	} else
		w->others++;
	return 0;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	fail_msg("link: %s", why);
}

static const struct link_ops link_ops = { .frame = on_frame,
    .down = on_down };

static struct link *
modem(void *arg)
{
	struct world *w = arg;

	return w->there;
}

static void
on_ended(void *arg)
{
	(void)arg;
}

static const struct ppprun_ops run_ops = { .modem = modem,
    .ended = on_ended };

static void
on_limit(void *arg)
{
	struct world *w = arg;

	loop_stop(w->loop, 1);
}

static int
begin(void **state)
{
	struct children_conf children = { .program = program,
	    .deadline_ms = 60000 };
	struct world *w = calloc(1, sizeof(*w));
	int pair[2];

	w->modem.data = w->modem.dns = (char *)(uintptr_t)"peer";
	w->modem.dial_ms = 20000;
	w->modem.prove_ms = 60000;
	w->conf.modem = &w->modem;
	w->conf.activation.max_hold_ms = 60000;
	w->loop = loop;
	w->children = children_new(w->loop, &children);
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	w->there = link_new(w->loop, pair[0], 65536, &link_ops, w);
	w->here = link_new(w->loop, pair[1], 65536, &link_ops, w);
	w->run = ppprun_new(w->loop, w->children, folder, 0, &run_ops, w);
	w->limit = timer_new(w->loop, on_limit, w);
	timer_set(w->limit, 20000);
	*state = w;
	return 0;
}

static int
end(void **state)
{
	struct world *w = *state;

	ppprun_free(w->run);
	children_free(w->children);
	link_free(w->there);
	link_free(w->here);
	timer_free(w->limit);
	free(w);
	return 0;
}

static void
start(struct world *w)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ppprun_start(w->run, &w->conf, 30, fd);
	close(fd);
	assert_int_equal(loop_run(w->loop), 0);
	assert_int_equal(w->ended, 1);
	assert_string_equal(w->failure, "E-PPP");
}

static void
test_not_root(void **state)
{
	struct world *w = *state;
	bool root = geteuid() == 0;

	if (root)
		assert_return_code(seteuid(65534), 0);
	start(w);
	if (root)
		assert_return_code(seteuid(0), 0);
	assert_string_equal(w->text, "PPP needs root: start oobd as root");
	assert_false(ppprun_busy(w->run));
}

static void
test_no_modem(void **state)
{
	struct world *w = *state;

	w->conf.modem = NULL;
	start(w);
	assert_string_equal(w->text, "no modem is configured");
}

/* /dev/null is no terminal; many systems have no PPP either. */
static void
test_cannot_work(void **state)
{
	struct world *w = *state;

	if (geteuid() != 0)
		skip();
	start(w);
	assert_true(w->others >= 1);
	assert_true(w->text[0] != '\0');
	assert_false(ppprun_busy(w->run));
	/* No trace of it. */
	assert_int_equal(rmdir(folder), 0);
	assert_return_code(mkdir(folder, 0700), 0);
}

static void
test_password(void **state)
{
	struct world *w = *state;

	if (geteuid() != 0)
		skip();
	w->modem.user = (char *)(uintptr_t)"u";
	w->modem.password_file = (char *)(uintptr_t)"/nonexistent/secret";
	start(w);
	assert_string_equal(w->text,
	    "password_file: No such file or directory");
}

/* One that belongs to somebody else than the owner of such files. */
static void
test_password_of_another(void **state)
{
	struct world *w = *state;
	char path[80];

	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "%s/secret", folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_return_code(chown(path, 65534, 65534), 0);
	w->modem.user = (char *)(uintptr_t)"u";
	w->modem.password_file = path;
	start(w);
	unlink(path);
	assert_string_equal(w->text, "password_file: Permission denied");
}

static void
test_no_ppp_no_route(void **state)
{
	struct world *w = *state;

	ppprun_route(w->run, true, "192.0.2.1");
	assert_int_equal(loop_run(w->loop), 0);
	assert_string_equal(w->why, "PPP is not up");
	ppprun_route(w->run, false, "192.0.2.1");
	assert_int_equal(loop_run(w->loop), 0);
	assert_string_equal(w->why, "");
	assert_int_equal(w->routes, 2);
	/* Nothing to do, nothing done. */
	ppprun_stop(w->run);
	ppprun_life(w->run, 5);
	ppprun_forget(w->run);
}

/* A note that names what is not ours ends nobody and changes nothing. */
static void
test_hostile_note(void **state)
{
	static const char *const notes[] = {
		"pid 1\n", "pid -1\n", "pid 0\n",
		"interface lo\nall\nroute 127.0.0.1\n", "interface ../../ppp0\nroute 1.2.3.4\n",
		"", "\xff\xfe\n", "route\nroute \npid\npid \ninterface\n",
	};
	char path[80], note[8192];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/ppp", folder);
	for (size_t i = 0; i <= sizeof(notes) / sizeof(notes[0]); i++) {
		if (i < sizeof(notes) / sizeof(notes[0]))
			snprintf(note, sizeof(note), "%s", notes[i]);
		else
			snprintf(note, sizeof(note), "pid %ld\n%07000d\n",
			    (long)getpid(), 0);
		fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
		assert_int_equal(write(fd, note, strlen(note)), strlen(note));
		close(fd);
		pppleft_clean(folder);
		assert_int_equal(access(path, F_OK), -1);
	}
	/* Nor is it written through a link. */
	assert_return_code(symlink("/nonexistent/target", path), 0);
	pppleft_write(folder, &(struct pppleft){ .pid = 5 });
	assert_int_equal(readlink(path, note, sizeof(note)), -1);
	pppleft_remove(folder);
	assert_return_code(symlink("/etc/passwd", path), 0);
	pppleft_clean(folder);
	assert_int_equal(access(path, F_OK), -1);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_not_root, begin, end),
		cmocka_unit_test_setup_teardown(test_no_modem, begin, end),
		cmocka_unit_test_setup_teardown(test_cannot_work, begin, end),
		cmocka_unit_test_setup_teardown(test_password, begin, end),
		cmocka_unit_test_setup_teardown(test_password_of_another,
		    begin, end),
		cmocka_unit_test_setup_teardown(test_no_ppp_no_route, begin,
		    end),
		cmocka_unit_test(test_hostile_note),
	};
	char *slash;
	int failed;

	/* Our own program's folder, BUILD/tests, is beside oobd. */
	(void)argc;
	if (realpath(argv[0], program) == NULL ||
	    (slash = strstr(program, "/tests/")) == NULL)
		return 1;
	snprintf(slash, sizeof(program) - (size_t)(slash - program), "/oobd");
	if (mkdtemp(folder) == NULL)
		return 1;
	loop = loop_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(loop);
	rmdir(folder);
	return failed;
}
