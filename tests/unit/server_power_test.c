/* The power hook and the USB reset: one at a time, told how it ended, never
   unsafe. */
#include <sys/types.h>
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

#include "modem/usbreset.h"
#include "server/base/fileio.h"
#include "server/base/loop.h"
#include "server/power.h"

static struct loop *loop;	/* signals come to one per process */
static char folder[] = "/tmp/oobd-power-XXXXXX", program[4096];
static char hook[64], trace[64];

struct world {
	struct children *children;
	struct power *power;
	struct config_modem modem;
	struct timer *limit;
	unsigned done;
	bool ok;
	char text[200];
};

static void
on_done(void *arg, bool ok, const char *text)
{
	struct world *w = arg;

	w->done++;
	w->ok = ok;
	snprintf(w->text, sizeof(w->text), "%s", text);
	loop_stop(loop, 0);
}

static void
on_limit(void *arg)
{
	(void)arg;
	loop_stop(loop, 1);
}

static int
begin(void **state)
{
	struct children_conf conf = { .program = program,
	    .deadline_ms = 60000 };
	struct world *w = calloc(1, sizeof(*w));

	w->children = children_new(loop, &conf);
	w->power = power_new(w->children, on_done, w);
	w->modem.data = (char *)(uintptr_t)"/dev/cuaU1.0";
	w->modem.power_hook = hook;
	w->limit = timer_new(loop, on_limit, w);
	timer_set(w->limit, 20000);
	unlink(trace);
	*state = w;
	return 0;
}

static int
end(void **state)
{
	struct world *w = *state;

	power_free(w->power);
	children_free(w->children);
	timer_free(w->limit);
	free(w);
	return 0;
}

static void
write_hook(const char *end, mode_t mode)
{
	char text[300];

	snprintf(text, sizeof(text), "#!/bin/sh\necho \"$# $1\" >%s\n%s\n",
	    trace, end);
	assert_return_code(file_replace(hook, text, strlen(text), mode), 0);
	assert_return_code(chmod(hook, mode), 0);
}

static void
run(struct world *w)
{
	power_run(w->power, &w->modem, POWER_CYCLE);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(w->done, 1);
}

static void
test_done(void **state)
{
	struct world *w = *state;
	char *text;

	write_hook("exit 0", 0700);
	run(w);
	assert_true(w->ok);
	assert_string_equal(w->text, "exit status 0");
	text = file_read(trace, 100, NULL);
	assert_non_null(text);
	assert_string_equal(text, "1 /dev/cuaU1.0\n");
	free(text);
}

static void
test_failed(void **state)
{
	struct world *w = *state;

	write_hook("exit 3", 0700);
	run(w);
	assert_false(w->ok);
	assert_string_equal(w->text, "exit status 3");
}

/* As root nothing is run that others could have written. */
static void
test_unsafe(void **state)
{
	struct world *w = *state;

	if (geteuid() != 0)
		skip();
	write_hook("exit 0", 0720);
	run(w);
	assert_false(w->ok);
	assert_int_equal(access(trace, F_OK), -1);
	write_hook("exit 0", 0700);
	assert_return_code(chown(hook, 65534, 65534), 0);
	w->done = 0;
	run(w);
	assert_false(w->ok);
	assert_int_equal(access(trace, F_OK), -1);
}

static void
test_one_at_a_time(void **state)
{
	struct world *w = *state;

	write_hook("sleep 1; exit 0", 0700);
	power_run(w->power, &w->modem, POWER_CYCLE);
	assert_int_equal(w->done, 0);
	power_run(w->power, &w->modem, POWER_CYCLE);
	assert_int_equal(w->done, 1);
	assert_false(w->ok);
	assert_string_equal(w->text, "it runs already");
	assert_int_equal(loop_run(loop), 0);
	if (w->done == 1)		/* stopped by the refusal above */
		assert_int_equal(loop_run(loop), 0);
	assert_int_equal(w->done, 2);
	assert_true(w->ok);
}

static void
test_none(void **state)
{
	struct world *w = *state;

	w->modem.power_hook = NULL;
	power_run(w->power, &w->modem, POWER_CYCLE);
	assert_false(w->ok);
	assert_string_equal(w->text, "no power_hook is configured");
	power_run(w->power, NULL, POWER_CYCLE);
	assert_int_equal(w->done, 2);
}

static void
reset(struct world *w, const char *data, const char *why)
{
	w->done = 0;
	w->modem.data = (char *)(uintptr_t)data;
	power_run(w->power, &w->modem, POWER_USB);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(w->done, 1);
	assert_false(w->ok);
	assert_string_equal(w->text, why);
}

/* One that succeeds: tests/lab. */
static void
test_usb(void **state)
{
	struct world *w = *state;

	reset(w, "/dev/null", usbreset_text(1));
	reset(w, "/dev/no-such-tty", usbreset_text(1));
	reset(w, "usb:dead:beef", usbreset_text(1));
	reset(w, "usb:dead:beef:x:0", usbreset_text(1));
	w->modem.control = (char *)(uintptr_t)"/dev/null";
	reset(w, "usb:dead:beef", usbreset_text(1));
	power_run(w->power, NULL, POWER_USB);
	assert_string_equal(w->text, "no modem is configured");
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_done, begin, end),
		cmocka_unit_test_setup_teardown(test_failed, begin, end),
		cmocka_unit_test_setup_teardown(test_unsafe, begin, end),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, begin,
		    end),
		cmocka_unit_test_setup_teardown(test_none, begin, end),
		cmocka_unit_test_setup_teardown(test_usb, begin, end),
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
	snprintf(hook, sizeof(hook), "%s/hook", folder);
	snprintf(trace, sizeof(trace), "%s/trace", folder);
	loop = loop_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(loop);
	unlink(hook);
	unlink(trace);
	rmdir(folder);
	return failed;
}
