#include <sys/stat.h>

#include <setjmp.h>
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
#include "server/modem_drill_file.h"

static char dir[] = "/tmp/oobd-drill-XXXXXX";

static void
put(const char *text)
{
	char *path = xasprintf("%s/drill", dir);

	assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
	free(path);
}

static void
there_and_back(void **state)
{
	struct modem_drill_record r, got;
	struct stat st;
	char *path = xasprintf("%s/drill", dir);

	(void)state;
	modem_drill_read(dir, &got);
	memset(&r, 0, sizeof(r));
	assert_memory_equal(&r, &got, sizeof(r));
	r.slot = 20261122;
	r.running = true;
	r.how = DRILL_CUT;
	r.last.at = 1795305600;
	strcpy(r.last.way, "none");
	strcpy(r.good.way, "ppp");
	r.good.at = 1795219200;
	r.good.ms = 41000;
	r.good.bytes = 12345;
	strcpy(r.good.why, "1 of 1 lines up");
	assert_int_equal(modem_drill_write(dir, &r), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	modem_drill_read(dir, &got);
	assert_memory_equal(&r, &got, sizeof(r));
	/* The longest that it may be, with what would break a line. */
	memset(r.last.why, 'x', sizeof(r.last.why) - 1);
	assert_int_equal(modem_drill_write(dir, &r), 0);
	modem_drill_read(dir, &got);
	assert_memory_equal(&r, &got, sizeof(r));
	free(path);
}

static void
not_ours(void **state)
{
	static const char *const bad[] = {
		"",
		"oobd drill 2\n",
		"oobd drill 1\n",
		"oobd drill 1\nslot x\nrunning 0\nhow 0\n"
		    "last 0 0 0 none \ngood 0 0 0 none \n",
		"oobd drill 1\nslot 1\nrunning 2\nhow 0\n"
		    "last 0 0 0 none \ngood 0 0 0 none \n",
		"oobd drill 1\nslot 1\nrunning 0\nhow 3\n"
		    "last 0 0 0 none \ngood 0 0 0 none \n",
		"oobd drill 1\nslot 1\nrunning 0\nhow 0\n"
		    "last 0 0 none \ngood 0 0 0 none \n",
		"oobd drill 1\nslot 1\nrunning 0\nhow 0\n"
		    "last 0 0 0 a-way-that-is-too-long \ngood 0 0 0 none \n",
		"oobd drill 1\nslot 1\nrunning 0\nhow 0\n"
		    "last 0 0 0 none \ngood 0 0 0 none ",
		"oobd drill 1\nslot 1\nrunning 0\nhow 0\n"
		    "last -1 0 0 none \ngood 0 0 0 none \n",
	};
	struct modem_drill_record none, got;

	(void)state;
	memset(&none, 0, sizeof(none));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(bad[i]);
		modem_drill_read(dir, &got);
		assert_memory_equal(&none, &got, sizeof(none));
	}
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	char *path = xasprintf("%s/drill", dir);

	(void)state;
	unlink(path);
	free(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(not_ours),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
