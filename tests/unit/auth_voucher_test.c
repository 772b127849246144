#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "auth/voucher.h"

static const uint8_t one[VOUCHER_KEY] = { 1 };
static const uint8_t two[VOUCHER_KEY] = { 2 };

/* HMAC-SHA-256 of "oobd: who is logged in", NUL, "alice"; openssl dgst. */
static void
as_others_make_it(void **state)
{
	char v[VOUCHER_TEXT];

	(void)state;
	voucher_make(v, one, "alice");
	assert_string_equal(v,
	    "a7f96e9ba3f210a4aa1d390a61624592"
	    "7eadaf1e1b4359a28a4a4cd22bb7520f");
}

static void
good_for_one_user_of_one_key(void **state)
{
	char v[VOUCHER_TEXT];

	(void)state;
	voucher_make(v, one, "alice");
	assert_true(voucher_good(one, "alice", v));
	assert_false(voucher_good(one, "alic", v));
	assert_false(voucher_good(one, "alice2", v));
	assert_false(voucher_good(one, "", v));
	assert_false(voucher_good(two, "alice", v));
}

static void
every_character_counts(void **state)
{
	char v[VOUCHER_TEXT + 1], c;

	(void)state;
	voucher_make(v, one, "alice");
	for (size_t i = 0; i < VOUCHER_TEXT - 1; i++) {
		c = v[i];
		v[i] = c == '0' ? '1' : '0';
		assert_false(voucher_good(one, "alice", v));
		v[i] = '\0';
		assert_false(voucher_good(one, "alice", v));
		v[i] = c;
	}
	assert_true(voucher_good(one, "alice", v));
	strcat(v, "0");
	assert_false(voucher_good(one, "alice", v));
	assert_false(voucher_good(one, "alice", ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_others_make_it),
		cmocka_unit_test(good_for_one_user_of_one_key),
		cmocka_unit_test(every_character_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
