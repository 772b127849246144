#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/authlog.h"

static struct {
	char last[1024];
	unsigned n;
	uint64_t told;		/* all counts added up */
	size_t bytes;
} f;

static struct mono
at(int64_t ms)
{
	return (struct mono){ 1000000 + ms * 1000 };
}

static void
on_write(void *arg, const char *text)
{
	const char *count = strstr(text, " count=");

	(void)arg;
	snprintf(f.last, sizeof(f.last), "%s", text);
	f.n++;
	f.bytes += strlen(text) + 120;
	f.told += count == NULL ? 1 : strtoull(count + 7, NULL, 10);
}

static int
setup(void **state)
{
	memset(&f, 0, sizeof(f));
	*state = authlog_new(on_write, NULL, at(0));
	return 0;
}

static int
teardown(void **state)
{
	authlog_free(*state);
	return 0;
}

static void
the_same_again_is_counted(void **state)
{
	struct authlog *l = *state;

	authlog_refuse(l, "a", "refused a", at(0));
	assert_string_equal(f.last, "refused a");
	for (int i = 0; i < 50; i++)
		authlog_refuse(l, "a", "refused a again", at(i));
	authlog_refuse(l, "b", "refused b", at(60));
	assert_int_equal(f.n, 2);
	authlog_flush(l, at(60000), false);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.last, "refused a again count=50");
	authlog_refuse(l, "a", "refused a", at(61000));
	assert_int_equal(f.n, 3);
	authlog_flush(l, at(120000), false);
	assert_string_equal(f.last, "refused a");	/* one is no count */
	authlog_flush(l, at(180000), false);
	authlog_refuse(l, "a", "refused anew", at(181000));
	assert_string_equal(f.last, "refused anew");
}

static void
who_comes_in_is_told_each_time(void **state)
{
	struct authlog *l = *state;
	char text[64];

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "login id=%d", i);
		authlog_admit(l, "bob", text, at(i));
		assert_int_equal(f.n, i + 1);
		assert_string_equal(f.last, text);
	}
	/* A storm of refusals takes nothing from it. */
	for (int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		authlog_refuse(l, text, "refused", at(100));
	}
	f.n = 0;
	authlog_admit(l, "bob", "login id=x", at(200));
	assert_int_equal(f.n, 1);
}

/* A day of it, a hundred a second, all the same or all different. */
static void
a_storm_is_bounded(void **state)
{
	struct authlog *l = *state;
	uint64_t sent = 0;
	char key[64];

	for (int64_t s = 0; s < 86400; s++) {
		for (int i = 0; i < 100; i++, sent++) {
			snprintf(key, sizeof(key), "k%d", i < 50 ? i :
			    (int)(sent % 100000));
			if (i % 2)
				authlog_refuse(l, key, "refused user=? "
				    "from=192.0.2.1 why=\"unknown key\"",
				    at(s * 1000));
			else
				authlog_admit(l, key, "login id=0011223344 "
				    "user=bob way=key from=192.0.2.1",
				    at(s * 1000));
		}
		if (s % 60 == 59)
			authlog_flush(l, at(s * 1000), false);
	}
	assert_true(f.bytes < 3 * 1024 * 1024);
	assert_true(f.n > 1000);
	authlog_flush(l, at(86400000), true);
	assert_true(f.told == sent);		/* and none is forgotten */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_again_is_counted,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_comes_in_is_told_each_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_storm_is_bounded, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
