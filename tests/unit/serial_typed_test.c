#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serial/typed.h"

static size_t
add(struct typed *t, const char *s)
{
	return typed_add(t, (const uint8_t *)s, strlen(s));
}

static void
echo(struct typed *t, const char *s)
{
	typed_echo(t, (const uint8_t *)s, strlen(s));
}

static void
expect(struct typed *t, const char *text, size_t total)
{
	size_t n, got;
	const uint8_t *p = typed_take(t, &n, &got);

	assert_int_equal(got, total);
	if (text == NULL) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(p, text, n);
}

static void
test_echoed_line_is_known(void **state)
{
	struct typed t;

	(void)state;
	typed_init(&t);
	assert_int_equal(add(&t, "show"), 4);
	echo(&t, "sh");
	echo(&t, "ow");
	assert_int_equal(add(&t, " ver\rnext"), 5);
	assert_true(t.ended);
	echo(&t, " ver");
	expect(&t, "show ver", 9);
}

static void
test_password_is_not(void **state)
{
	struct typed t;

	(void)state;
	typed_init(&t);
	add(&t, "secret\r");
	expect(&t, NULL, 7);
	/* nor when the device says something that begins alike */
	add(&t, "log");
	echo(&t, "\r\nlogin incorrect");
	add(&t, "\r");
	expect(&t, NULL, 4);
	/* nor when stars come back */
	add(&t, "pw");
	echo(&t, "**");
	add(&t, "\r");
	expect(&t, NULL, 3);
}

static void
test_each_line_is_judged_anew(void **state)
{
	struct typed t;

	(void)state;
	typed_init(&t);
	add(&t, "hidden\r");
	expect(&t, NULL, 7);
	add(&t, "ls");
	echo(&t, "ls");
	add(&t, "\n");
	expect(&t, "ls", 3);
}

static void
test_too_long_is_counted_only(void **state)
{
	uint8_t big[TYPED_MAX + 10];
	struct typed t;

	(void)state;
	typed_init(&t);
	memset(big, 'a', sizeof(big));
	assert_int_equal(typed_add(&t, big, sizeof(big)), sizeof(big));
	typed_echo(&t, big, sizeof(big));
	expect(&t, NULL, sizeof(big));
}

static void
test_nothing_typed(void **state)
{
	struct typed t;

	(void)state;
	typed_init(&t);
	echo(&t, "boot messages");
	expect(&t, "", 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echoed_line_is_known),
		cmocka_unit_test(test_password_is_not),
		cmocka_unit_test(test_each_line_is_judged_anew),
		cmocka_unit_test(test_too_long_is_counted_only),
		cmocka_unit_test(test_nothing_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
