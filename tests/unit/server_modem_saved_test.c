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
#include "server/base/os.h"
#include "server/modem_saved.h"

static char dir[] = "/tmp/oobd-saved-XXXXXX";

static char *
path(void)
{
	return xasprintf("%s/link", dir);
}

static struct linkstate_saved
some(void)
{
	struct linkstate_saved s;
	int64_t now = mono_now().us;

	memset(&s, 0, sizeof(s));
	strcpy(s.who, "alice (relay cloud)");
	s.hold_ms = 1800000;
	s.was_up = true;
	s.first_up.us = now - 5000000;
	s.until.us = now + 1795000000;
	return s;
}

static void
there_and_back(void **state)
{
	struct linkstate_saved s = some(), got;
	char *p = path();
	struct stat st;

	(void)state;
	assert_false(modem_saved_read(dir, &got));
	modem_saved_write(dir, &s);
	assert_int_equal(stat(p, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(modem_saved_read(dir, &got));
	assert_memory_equal(&s, &got, sizeof(s));
	/* Not up yet: no times. */
	s.was_up = false;
	s.until.us = s.first_up.us = 0;
	memset(s.who, 0, sizeof(s.who));
	modem_saved_write(dir, &s);
	assert_true(modem_saved_read(dir, &got));
	assert_memory_equal(&s, &got, sizeof(s));
	modem_saved_write(dir, NULL);
	assert_int_equal(access(p, F_OK), -1);
	modem_saved_write(dir, NULL);
	assert_false(modem_saved_read(dir, &got));
	free(p);
}

static char *
replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	return xasprintf("%.*s%s%s", (int)(at - text), text, to,
	    at + strlen(from));
}

static bool
reads(const char *text)
{
	struct linkstate_saved got;
	char *p = path();

	assert_int_equal(file_replace(p, text, strlen(text), 0600), 0);
	free(p);
	return modem_saved_read(dir, &got);
}

/* What another boot, another version or a torn disk left is not used. */
static void
not_ours(void **state)
{
	struct linkstate_saved s = some();
	char *p = path(), *text, *bad, boot[OS_BOOT_ID];

	(void)state;
	modem_saved_write(dir, &s);
	text = file_read(p, 4096, NULL);
	assert_non_null(text);
	assert_true(reads(text));
	assert_int_equal(os_boot_id(boot, sizeof(boot)), 0);
	const char *const changes[][2] = {
		{ boot, "another-boot" },
		{ "oobd link 1", "oobd link 2" },
		{ "hold_ms 1800000", "hold_ms 0" },
		{ "hold_ms 1800000", "hold_ms -5" },
		{ "hold_ms 1800000", "hold_ms 99999999999999999999" },
		{ "was_up 1", "was_up 2" },
		{ "was_up 1\n", "" },
		{ "until_us ", "until_us x" },
		{ "until_us ", "until_us 1\nx" },
		{ "who alice (relay cloud)\n", "" },
		{ "first_up_us", "first_up_us 1\nx" },
	};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		bad = replaced(text, changes[i][0], changes[i][1]);
		if (reads(bad))
			fail_msg("read in spite of %s", changes[i][1]);
		free(bad);
	}
	for (size_t n = 0; n < strlen(text); n++) {
		bad = xstrndup(text, n);
		if (reads(bad))
			fail_msg("read with %zu bytes", n);
		free(bad);
	}
	free(text);
	free(p);
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
	char *p = path();

	(void)state;
	unlink(p);
	free(p);
	return rmdir(dir);
}

static void
dead_uplink(void **state)
{
	struct mono since = mono_now(), got = { 0 };
	char *p = xasprintf("%s/uplink", dir);
	struct stat st;

	(void)state;
	assert_false(modem_saved_was_dead(dir, &got, "60000 a:1"));
	modem_saved_dead(dir, &since, "60000 a:1");
	assert_int_equal(stat(p, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(modem_saved_was_dead(dir, &got, "60000 a:1"));
	assert_int_equal(got.us, since.us);
	/* Another watch, nothing at all, and what is none of ours. */
	assert_false(modem_saved_was_dead(dir, &got, "60000 a:1 b:2"));
	modem_saved_dead(dir, NULL, "");
	assert_int_equal(stat(p, &st), -1);
	modem_saved_dead(dir, NULL, "");
	assert_int_equal(file_replace(p, "oobd uplink 1\nboot x\n", 21,
	    0600), 0);
	assert_false(modem_saved_was_dead(dir, &got, "60000 a:1"));
	/* It cannot have died later than now. */
	since = mono_after(since, 3600 * 1000);
	modem_saved_dead(dir, &since, "60000 a:1");
	assert_false(modem_saved_was_dead(dir, &got, "60000 a:1"));
	unlink(p);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(not_ours),
		cmocka_unit_test(dead_uplink),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
