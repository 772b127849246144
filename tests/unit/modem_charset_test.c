#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "modem/charset.h"

static void
is_text(const uint8_t *septets, size_t n, const char *want)
{
	char text[CHARSET_GSM_TEXT(160)];
	bool dangling;

	assert_int_equal(charset_from_gsm(text, septets, n, &dangling),
	    strlen(want));
	assert_string_equal(text, want);
	assert_false(dangling);
}

static void
test_default_alphabet(void **state)
{
	static const char want[] =
	    "@\u00a3$\u00a5\u00e8\u00e9\u00f9\u00ec\u00f2\u00c7\n\u00d8\u00f8"
	    "\r\u00c5\u00e5\u0394_\u03a6\u0393\u039b\u03a9\u03a0\u03a8\u03a3"
	    "\u0398\u039e\u00c6\u00e6\u00df\u00c9 !\"#\u00a4%&'()*+,-./"
	    "0123456789:;<=>?\u00a1ABCDEFGHIJKLMNOPQRSTUVWXYZ\u00c4\u00d6"
	    "\u00d1\u00dc\u00a7\u00bfabcdefghijklmnopqrstuvwxyz\u00e4\u00f6"
	    "\u00f1\u00fc\u00e0";
	uint8_t all[128], back[128];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 128; i++) {
		if (i != 0x1b)
			all[n++] = (uint8_t)i;
	}
	is_text(all, n, want);
	assert_int_equal(charset_to_gsm(back, sizeof(back), want,
	    strlen(want)), 127);
	assert_memory_equal(back, all, 127);
}

static void
test_extension_table(void **state)
{
	static const uint8_t codes[] = { 0x0a, 0x14, 0x28, 0x29, 0x2f, 0x3c,
	    0x3d, 0x3e, 0x40, 0x65 };
	static const char want[] = "\f^{}\\[~]|\u20ac";
	uint8_t septets[20], back[20];

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		septets[2 * i] = 0x1b;
		septets[2 * i + 1] = codes[i];
	}
	is_text(septets, 20, want);
	assert_int_equal(charset_to_gsm(back, 20, want, strlen(want)), 20);
	assert_memory_equal(back, septets, 20);
	assert_int_equal(charset_to_gsm(back, 19, want, strlen(want)), -1);
	assert_int_equal(charset_to_gsm(NULL, 20, want, strlen(want)), 20);
}

static void
test_odd_escapes(void **state)
{
	static const uint8_t unknown[] = { 0x1b, 0x41, 0x62 };
	static const uint8_t twice[] = { 0x1b, 0x1b, 0x41 };
	static const uint8_t last[] = { 0x41, 0x1b };
	char text[8];
	bool dangling;

	(void)state;
	is_text(unknown, 3, "Ab");
	is_text(twice, 3, " A");
	assert_int_equal(charset_from_gsm(text, last, 2, &dangling), 1);
	assert_true(dangling);
	assert_string_equal(text, "A");
	assert_int_equal(charset_from_gsm(text, last, 0, NULL), 0);
}

static void
test_not_in_the_alphabet(void **state)
{
	static const char *const no[] = { "\u00e7", "`", "\u00a0", "\u2019",
	    "a\u0151", "\xff", "\xc3", "\xed\xa0\x80" };

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_int_equal(charset_to_gsm(NULL, 160, no[i],
		    strlen(no[i])), -1);
	/* NUL is a character like any other, and has no septet. */
	assert_int_equal(charset_to_gsm(NULL, 160, "a\0b", 3), -1);
}

/* The pangram of 23.038 implementations, and known octets. */
static void
test_known_octets(void **state)
{
	static const uint8_t hello[] = { 0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97,
	    0xd9, 0xec, 0x37 };
	uint8_t septets[10], octets[9];

	(void)state;
	assert_int_equal(charset_unpack(septets, 10, hello, 9, 0), 0);
	is_text(septets, 10, "hellohello");
	assert_int_equal(charset_pack(octets, 9, 0, septets, 10), 9);
	assert_memory_equal(octets, hello, 9);
}

/* Every beginning and length, against the bits one by one. */
static void
test_packing_bit_by_bit(void **state)
{
	uint8_t septets[40], back[40], octets[64];

	(void)state;
	for (size_t i = 0; i < 40; i++)
		septets[i] = (uint8_t)((i * 37 + 11) & 0x7f);
	for (size_t bit = 0; bit < 60; bit++) {
		for (size_t n = 0; n <= 40; n++) {
			int used;

			memset(octets, 0xff, sizeof(octets));
			used = charset_pack(octets, sizeof(octets), bit,
			    septets, n);
			assert_int_equal(used, (bit + n * 7 + 7) / 8);
			for (size_t i = 0; i < n * 7; i++)
				assert_int_equal(octets[(bit + i) / 8] >>
				    ((bit + i) % 8) & 1,
				    septets[i / 7] >> (i % 7) & 1);
			/* Fill bits 0, what is around untouched. */
			for (size_t i = bit + n * 7; n > 0 && i % 8 != 0; i++)
				assert_int_equal(octets[i / 8] >> (i % 8) & 1,
				    0);
			for (size_t i = 0; i < bit; i++)
				assert_int_equal(octets[i / 8] >> (i % 8) & 1,
				    1);
			assert_int_equal(octets[used], 0xff);
			assert_int_equal(charset_unpack(back, n, octets,
			    (size_t)used, bit), 0);
			assert_memory_equal(back, septets, n);
		}
	}
}

static void
test_packing_bounds(void **state)
{
	uint8_t octets[8] = { 0 }, septets[10] = { 0 };

	(void)state;
	assert_int_equal(charset_unpack(septets, 8, octets, 7, 0), 0);
	assert_int_equal(charset_unpack(septets, 9, octets, 7, 0), -1);
	assert_int_equal(charset_unpack(septets, 8, octets, 7, 1), -1);
	assert_int_equal(charset_unpack(septets, 1, octets, 0, 0), -1);
	assert_int_equal(charset_unpack(septets, 0, octets, 0, 0), 0);
	assert_int_equal(charset_unpack(septets, 0, octets, 1, 9), -1);
	assert_int_equal(charset_pack(octets, 7, 0, septets, 8), 7);
	assert_int_equal(charset_pack(octets, 7, 0, septets, 9), -1);
	assert_int_equal(charset_pack(octets, 7, 1, septets, 8), -1);
}

static void
is_ucs2(const char *hex_text, size_t n, const char *want)
{
	char text[CHARSET_UCS2_TEXT(140)];
	size_t len;

	assert_int_equal(charset_from_ucs2(text, (const uint8_t *)hex_text, n,
	    &len), 0);
	assert_int_equal(len, strlen(want));
	assert_string_equal(text, want);
}

static void
test_ucs2(void **state)
{
	char text[16];
	size_t len;

	(void)state;
	is_ucs2("", 0, "");
	is_ucs2("\0u\0p\x01\x51", 6, "up\u0151");
	is_ucs2("\xd8\x3d\xde\x00", 4, "\U0001f600");
	is_ucs2("\xdb\xff\xdf\xff", 4, "\U0010ffff");
	is_ucs2("\x20\x0b\x00\xa0", 4, "\u200b\u00a0");
	/* Halves of pairs. */
	is_ucs2("\xd8\x3d", 2, "\ufffd");
	is_ucs2("\xde\x00\0a", 4, "\ufffda");
	is_ucs2("\xd8\x3d\0a", 4, "\ufffda");
	is_ucs2("\xd8\x3d\xd8\x3d\xde\x00", 6, "\ufffd\U0001f600");
	assert_int_equal(charset_from_ucs2(text, (const uint8_t *)"\0a\0", 3,
	    &len), -1);
	assert_int_equal(charset_from_ucs2(text, (const uint8_t *)"\0\0", 2,
	    &len), 0);
	assert_int_equal(len, 1);
}

static void
test_to_ucs2(void **state)
{
	static const char text[] = "a\u0151\U0001f600";
	uint8_t octets[8];

	(void)state;
	assert_int_equal(charset_to_ucs2(octets, 8, text, strlen(text)), 8);
	assert_memory_equal(octets, "\0a\x01\x51\xd8\x3d\xde\x00", 8);
	assert_int_equal(charset_to_ucs2(octets, 7, text, strlen(text)), -1);
	assert_int_equal(charset_to_ucs2(NULL, 8, text, strlen(text)), 8);
	assert_int_equal(charset_to_ucs2(octets, 8, "\xff", 1), -1);
	assert_int_equal(charset_to_ucs2(octets, 8, "", 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_alphabet),
		cmocka_unit_test(test_extension_table),
		cmocka_unit_test(test_odd_escapes),
		cmocka_unit_test(test_not_in_the_alphabet),
		cmocka_unit_test(test_known_octets),
		cmocka_unit_test(test_packing_bit_by_bit),
		cmocka_unit_test(test_packing_bounds),
		cmocka_unit_test(test_ucs2),
		cmocka_unit_test(test_to_ucs2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
