#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "auth/digest.h"

/* What b2sum -l 256 says of the pieces with their lengths in front. */
static void
test_known(void **state)
{
	static const uint8_t none[DIGEST_LEN] = {
		0x0e, 0x57, 0x51, 0xc0, 0x26, 0xe5, 0x43, 0xb2,
		0xe8, 0xab, 0x2e, 0xb0, 0x60, 0x99, 0xda, 0xa1,
		0xd1, 0xe5, 0xdf, 0x47, 0x77, 0x8f, 0x77, 0x87,
		0xfa, 0xab, 0x45, 0xcd, 0xf1, 0x2f, 0xe3, 0xa8,
	};
	static const uint8_t known[DIGEST_LEN] = {
		0x20, 0x26, 0x3e, 0x79, 0x47, 0x75, 0xe4, 0xed,
		0xf2, 0xb3, 0x06, 0xc0, 0xf3, 0x06, 0xaf, 0x9e,
		0x50, 0x17, 0x5c, 0x83, 0x1c, 0x85, 0x76, 0x04,
		0xb4, 0x81, 0xe8, 0x47, 0xf7, 0x90, 0xbf, 0x95,
	};
	const struct digest_piece pieces[] = { { "ab", 2 }, { "c", 1 } };
	uint8_t out[DIGEST_LEN];

	(void)state;
	digest(out, NULL, 0);
	assert_memory_equal(out, none, DIGEST_LEN);
	digest(out, pieces, 2);
	assert_memory_equal(out, known, DIGEST_LEN);
}

static void
test_boundaries_count(void **state)
{
	const struct digest_piece a[] = { { "ab", 2 }, { "c", 1 } };
	const struct digest_piece b[] = { { "a", 1 }, { "bc", 2 } };
	const struct digest_piece c[] = { { "abc", 3 }, { "", 0 } };
	uint8_t one[DIGEST_LEN], two[DIGEST_LEN], three[DIGEST_LEN];

	(void)state;
	digest(one, a, 2);
	digest(two, b, 2);
	digest(three, c, 2);
	assert_memory_not_equal(one, two, DIGEST_LEN);
	assert_memory_not_equal(one, three, DIGEST_LEN);
	assert_memory_not_equal(two, three, DIGEST_LEN);
	digest(two, a, 2);
	assert_memory_equal(one, two, DIGEST_LEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_boundaries_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
