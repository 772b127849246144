#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/fileio.h"
#include "server/names.h"

#define LINE 2048		/* that are taken of one */

static char file[64];

static int
enter(void **state)
{
	int fd;

	(void)state;
	snprintf(file, sizeof(file), "/tmp/oobd-names-XXXXXX");
	fd = mkstemp(file);
	return fd == -1 ? -1 : close(fd);
}

static int
leave(void **state)
{
	(void)state;
	return unlink(file);
}

static void
is(const char *text, size_t n, uid_t uid, const char *want)
{
	char name[NAMES_NAME];

	assert_int_equal(file_replace(file, text, n, 0600), 0);
	assert_string_equal(names_user(name, file, uid), want);
}

#define IS(text, uid, want) is(text, strlen(text), uid, want)

static void
test_lines(void **state)
{
	static const char users[] = "root:*:0:0:Charlie &:/root:/bin/sh\n"
	    "# a comment: of: 5\n"
	    "toor:*:0:0::/root:\n"
	    "+::::::\n"
	    "\n"
	    "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
	    "top:x:4294967295:0::/:/bin/sh\n"
	    "short:x:7\n"
	    "last:x:1000:1000::/home/last:/bin/sh";

	(void)state;
	IS(users, 0, "root");
	IS(users, 65534, "nobody");
	IS(users, 4294967295, "top");
	IS(users, 7, "short");
	IS(users, 1000, "last");
	IS(users, 5, "uid5");
	IS("", 5, "uid5");
	IS("x:x:5", 5, "x");
	IS("x:x:5:", 5, "x");
}

static void
test_damaged(void **state)
{
	(void)state;
	IS("x:x: 5:\nx:x:5x:\nx:x:-1:\nx:x:99999999999:\n:x:5:\nx:x\nx\n:::\n",
	    5, "uid5");
	IS("x:x:5:\n", 4294967295, "uid4294967295");
	is("a\0b:x:5:\nc:x:6:\n", 17, 6, "c");
}

/* A line of any length hides no other; a name is cut. */
static void
test_long(void **state)
{
	static char text[70000];
	char name[NAMES_NAME];
	size_t n;

	(void)state;
	for (size_t len = 1900; len < 6300; len += 1 + len % 7) {
		memset(text, 'x', len);
		n = len + (size_t)sprintf(text + len, "\nme:x:5:5::/:\n");
		is(text, n, 5, "me");
		/* What stands in the midst of one is no line. */
		n = len + (size_t)sprintf(text + len, "me:x:5:5::/:\n");
		if (len > LINE)
			is(text, n, 5, "uid5");
	}
	memset(text, 'n', 100);
	memcpy(text + 100, ":x:5:\n", 7);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	IS(text, 5, name);
}

static void
test_no_file(void **state)
{
	char name[NAMES_NAME];

	(void)state;
	assert_string_equal(names_user(name, "/nonexistent", 3), "uid3");
	assert_string_equal(names_user(name, "/", 3), "uid3");
	assert_string_equal(names_user(name, "/etc/passwd", 0), "root");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, enter, leave),
		cmocka_unit_test_setup_teardown(test_damaged, enter, leave),
		cmocka_unit_test_setup_teardown(test_long, enter, leave),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
