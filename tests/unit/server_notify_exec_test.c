#include <sys/stat.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/fileio.h"
#include "server/base/mem.h"
#include "server/notify_exec.h"
#include "tests/skewed_time.h"

#define LIMIT_MS 60000		/* nothing here waits so long */
#define LOOK_MS 10

static char dir[] = "/tmp/oobd-exec-XXXXXX";

struct result {
	struct loop *loop;
	int status;
	char why[128];
};

static void
on_done(void *arg, int status, const char *why)
{
	struct result *r = arg;

	r->status = status;
	snprintf(r->why, sizeof(r->why), "%s", why);
	loop_stop(r->loop, 0);
}

/* A script with this body; its path. */
static const char *
script(const char *body)
{
	static char path[128];
	char *text = xasprintf("#!/bin/sh\n%s\n", body);

	snprintf(path, sizeof(path), "%s/run", dir);
	assert_int_equal(file_replace(path, text, strlen(text), 0700), 0);
	free(text);
	return path;
}

static struct result
run_with(struct loop *loop, const char *program, const char *text)
{
	const char *const env[] = { "OOB_BOX=a b", "OOB_EVENT=line-lost",
	    NULL };
	struct notify_exec_conf conf = { program, env, text, LIMIT_MS };
	struct result r = { .loop = loop, .status = -2 };

	notify_exec(r.loop, &conf, on_done, &r);
	loop_run(r.loop);
	loop_free(r.loop);
	return r;
}

static struct result
run(const char *program, const char *text)
{
	return run_with(loop_new(), program, text);
}

static char *
output(void)
{
	char path[128], *text;

	snprintf(path, sizeof(path), "%s/out", dir);
	text = file_read(path, 65536, NULL);
	unlink(path);
	return text;
}

static void
test_input_and_environment(void **state)
{
	struct result r;
	char *text;

	(void)state;
	setenv("OOB_SECRET", "ours", 1);
	r = run(script("cd $(dirname $0); { cat; env | grep -v ^PWD= | "
	    "grep -v ^OLDPWD= | grep -v ^SHLVL= | grep -v ^_= | sort; "
	    "ls /proc/self/fd 2>/dev/null | wc -l | tr -d ' '; } > out"),
	    "two\nlines");
	assert_int_equal(r.status, 0);
	assert_string_equal(r.why, "exit status 0");
	text = output();
	assert_non_null(text);
	assert_non_null(strstr(text, "two\nlinesOOB_BOX=a b\n"
	    "OOB_EVENT=line-lost\nPATH=/usr/local/sbin:"));
	assert_null(strstr(text, "OOB_SECRET"));
	free(text);
}

static void
test_statuses(void **state)
{
	struct result r;

	(void)state;
	r = run(script("exit 75"), "");
	assert_int_equal(r.status, 75);
	assert_string_equal(r.why, "exit status 75");
	r = run(script("kill -9 $$"), "");
	assert_int_equal(r.status, -1);
	assert_string_equal(r.why, "killed by signal 9");
	r = run("/no/such/program", "");
	assert_int_equal(r.status, -1);
	assert_string_equal(r.why, "No such file or directory");
}

/* Once it has said whom it has started, its time is over. */
static void
on_look(void *arg)
{
	char path[128], *text;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/out", dir);
	text = file_read(path, 65536, &n);
	free(text);
	if (n == 0)
		timer_set(*(struct timer **)arg, LOOK_MS);
	else
		skew_us += (int64_t)LIMIT_MS * 1000;
}

/* It is killed with all that it started, and nothing is left to reap. */
static void
test_limit(void **state)
{
	struct loop *loop = loop_new();
	struct timer *look = timer_new(loop, on_look, &look);
	struct result r;
	char *pid;

	(void)state;
	timer_set(look, LOOK_MS);
	r = run_with(loop, script("cd $(dirname $0); sleep 600 & "
	    "echo $! > out; wait"), "x");
	assert_int_equal(r.status, -1);
	assert_string_equal(r.why, "took too long and was killed");
	pid = output();
	assert_non_null(pid);
	for (int i = 0; i < 1000 && kill(atoi(pid), 0) == 0; i++)
		usleep(20000);
	assert_int_equal(kill(atoi(pid), 0), -1);
	free(pid);
}

/* Who does not read is no reason to wait, nor to die. */
static void
test_unread(void **state)
{
	char big[NOTIFY_EXEC_TEXT + 100];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(run(script("exit 0"), big).status, 0);
}

static void
test_free_kills(void **state)
{
	const char *const none[] = { NULL };
	struct notify_exec_conf conf = { script("sleep 60"), none, "", 60000 };
	struct loop *loop = loop_new();
	struct notify_exec *x;
	struct result r = { .loop = loop };

	(void)state;
	x = notify_exec(loop, &conf, on_done, &r);
	notify_exec_free(x);
	notify_exec_free(NULL);
	loop_free(loop);
	assert_int_equal(r.why[0], '\0');
}

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(script(""));
	free(output());
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input_and_environment),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_free_kills),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
