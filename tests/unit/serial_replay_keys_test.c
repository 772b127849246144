#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "serial/replay_keys.h"

/* The last thing that these bytes are. */
static enum replay_key
typed(struct replay_keys *k, const char *bytes)
{
	enum replay_key key = REPLAY_KEY_NONE;

	for (; *bytes != '\0'; bytes++)
		key = replay_keys_byte(k, (unsigned char)*bytes);
	return key;
}

static void
test_keys(void **state)
{
	struct replay_keys k = { .escape = 0 };

	(void)state;
	assert_int_equal(typed(&k, " "), REPLAY_KEY_PAUSE);
	assert_int_equal(typed(&k, "\x1b[D"), REPLAY_KEY_BACK);
	assert_int_equal(typed(&k, "\x1bOC"), REPLAY_KEY_FORWARD);
	assert_int_equal(typed(&k, "\x1b[1;5A"), REPLAY_KEY_FORWARD_FAR);
	assert_int_equal(typed(&k, "\x1b[B"), REPLAY_KEY_BACK_FAR);
	assert_int_equal(typed(&k, "\x1b[3~"), REPLAY_KEY_NONE);
	assert_int_equal(typed(&k, "x\x1bq"), REPLAY_KEY_QUIT);
	assert_int_equal(typed(&k, "\x03"), REPLAY_KEY_QUIT);
	assert_int_equal(typed(&k, "\xff"), REPLAY_KEY_NONE);
	assert_int_equal(typed(&k, "s"), REPLAY_KEY_STEP);
}

static void
test_lines(void **state)
{
	struct replay_keys k = { .escape = 0 };

	(void)state;
	replay_keys_ask(&k);
	assert_int_equal(typed(&k, "q \xc3\xa5\x7f" "b\r"), REPLAY_KEY_LINE);
	assert_string_equal(k.line, "q b");
	assert_int_equal(typed(&k, "q"), REPLAY_KEY_QUIT);
	replay_keys_ask(&k);
	assert_int_equal(typed(&k, "abc\x15\r"), REPLAY_KEY_CANCEL);
	replay_keys_ask(&k);
	assert_int_equal(typed(&k, "a\x1b"), REPLAY_KEY_CANCEL);
	replay_keys_ask(&k);
	for (int i = 0; i < 1000; i++)
		typed(&k, "x");
	assert_int_equal(strlen(k.line), REPLAY_LINE - 1);
	assert_int_equal(typed(&k, "\x7f\x7f\r"), REPLAY_KEY_LINE);
	assert_int_equal(strlen(k.line), REPLAY_LINE - 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
