#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/passwd.h"

static char dir[] = "/tmp/oobd-passwd-XXXXXX";

static int
make(void **state)
{
	(void)state;
	strcpy(strrchr(dir, '-'), "-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
drop(void **state)
{
	char command[200];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void
a_password_is_right_or_not(void **state)
{
	char path[200], longest[PASSWD_MAX + 2];
	struct stat st;

	(void)state;
	assert_false(passwd_exists(dir, "alice"));
	assert_false(passwd_check(dir, "alice", "anything"));
	assert_int_equal(passwd_set(dir, "alice", "tr0ub4dor"), 0);
	assert_true(passwd_exists(dir, "alice"));
	assert_true(passwd_check(dir, "alice", "tr0ub4dor"));
	assert_false(passwd_check(dir, "alice", "tr0ub4do"));
	assert_false(passwd_check(dir, "alice", "tr0ub4dor "));
	assert_false(passwd_check(dir, "alice", ""));
	assert_false(passwd_check(dir, "bob", "tr0ub4dor"));
	snprintf(path, sizeof(path), "%s/passwords/alice", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Replaced, and as long as can be. */
	memset(longest, 'x', PASSWD_MAX);
	longest[PASSWD_MAX] = '\0';
	assert_int_equal(passwd_set(dir, "alice", longest), 0);
	assert_false(passwd_check(dir, "alice", "tr0ub4dor"));
	assert_true(passwd_check(dir, "alice", longest));
	assert_int_equal(passwd_remove(dir, "alice"), 0);
	assert_false(passwd_check(dir, "alice", longest));
	assert_int_equal(passwd_remove(dir, "alice"), -1);
	assert_int_equal(errno, ENOENT);
}

static void
what_is_none_is_refused(void **state)
{
	static const char *const names[] = { "", "../alice", "a/b", ".." };
	char longer[PASSWD_MAX + 2];

	(void)state;
	memset(longer, 'x', PASSWD_MAX + 1);
	longer[PASSWD_MAX + 1] = '\0';
	assert_int_equal(passwd_set(dir, "alice", "1234567"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(passwd_set(dir, "alice", longer), -1);
	assert_int_equal(errno, EINVAL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		errno = 0;
		assert_int_equal(passwd_set(dir, names[i], "12345678"), -1);
		assert_int_equal(errno, EINVAL);
		assert_false(passwd_check(dir, names[i], "12345678"));
	}
}

/* A file that would cost more, or is none, lets nobody in. */
static void
a_file_says_no_limits(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"12345678\n",
		"$argon2id$v=19$m=1048576,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
	};
	char path[200];
	FILE *f;

	(void)state;
	assert_int_equal(passwd_set(dir, "alice", "12345678"), 0);
	snprintf(path, sizeof(path), "%s/passwords/alice", dir);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(texts[i], f);
		fclose(f);
		assert_false(passwd_check(dir, "alice", "12345678"));
		assert_false(passwd_check(dir, "alice", ""));
	}
	/* Longer than any hash. */
	f = fopen(path, "w");
	for (int i = 0; i < 5000; i++)
		fputc('x', f);
	fclose(f);
	assert_false(passwd_check(dir, "alice", "12345678"));
}

#define HASH(limits) "$argon2id$v=19$" limits "$c2FsdHNhbHRzYWx0c2FsdA$" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OURS HASH("m=32768,t=3,p=1")

/* With just our limits, and nothing that is cut off. */
static void
a_hash_is_one_line(void **state)
{
	static const struct {
		const char *text;
		size_t n;		/* 0: all */
		bool good;
	} cases[] = {
		{ OURS, 0, true },
		{ OURS "\n", 0, true },
		{ OURS "\nmore\n", 0, true },
		{ OURS " \n", 0, false },
		{ OURS "\0", sizeof(OURS), false },
		{ OURS "\0\n", sizeof(OURS) + 1, false },
		{ OURS, 40, false },
		{ HASH("m=32768,t=3,p=2"), 0, false },
		{ HASH("m=32768,t=3,p=4096"), 0, false },
		{ HASH("m=32769,t=3,p=1"), 0, false },
		{ HASH("m=32768,t=4,p=1"), 0, false },
		{ "$argon2id$v=19$m=32768,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
		    "AAAAAAAAAAAAAAA\xbc" "AAAAAAAAAAAAAAAAAAAAAAAAAAA", 0,
		    false },
		{ "$argon2id$v=19$m=32768,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, false },
		{ "", 0, false },
		{ "\n", 0, false },
	};
	char hash[PASSWD_HASH];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = cases[i].n == 0 ? strlen(cases[i].text) :
		    cases[i].n;

		memset(hash, 'Z', sizeof(hash));
		if (passwd_parse(cases[i].text, n, hash) != cases[i].good)
			fail_msg("case %zu", i);
		if (cases[i].good)
			assert_string_equal(hash, OURS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_password_is_right_or_not,
		    make, drop),
		cmocka_unit_test_setup_teardown(what_is_none_is_refused,
		    make, drop),
		cmocka_unit_test_setup_teardown(a_file_says_no_limits,
		    make, drop),
		cmocka_unit_test(a_hash_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
