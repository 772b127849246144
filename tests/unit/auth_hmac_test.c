#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/hmac.h"

static const char *
hex(const uint8_t mac[HMAC_LEN])
{
	static char text[2 * HMAC_LEN + 1];

	for (size_t i = 0; i < HMAC_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", mac[i]);
	return text;
}

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block). */
static void
test_rfc4231(void **state)
{
	uint8_t key[131], mac[HMAC_LEN];
	static const char big[] =
	    "Test Using Larger Than Block-Size Key - Hash Key First";
	struct digest_piece one = { "Hi There", 8 };
	struct digest_piece two = { "what do ya want for nothing?", 28 };
	struct digest_piece six = { big, sizeof(big) - 1 };

	(void)state;
	memset(key, 0x0b, 20);
	hmac(mac, key, 20, &one, 1);
	assert_string_equal(hex(mac), "b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7");
	hmac(mac, "Jefe", 4, &two, 1);
	assert_string_equal(hex(mac), "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac(mac, key, sizeof(key), &six, 1);
	assert_string_equal(hex(mac), "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54");
}

static void
test_pieces(void **state)
{
	uint8_t mac[HMAC_LEN];
	struct digest_piece pieces[] = {
		{ "what do ya ", 11 }, { "", 0 }, { "want for nothing?", 17 },
	};

	(void)state;
	hmac(mac, "Jefe", 4, pieces, 3);
	assert_string_equal(hex(mac), "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc4231),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
