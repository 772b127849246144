#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
test_int(void **state)
{
	static const char *const bad[] = {
		"", "-", "+1", " 1", "1 ", "1x", "0x10", "1.0", "--1", "a",
		"9223372036854775808", "-11", "101", "- 5",
	};
	int64_t v = 77;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(str_int(bad[i], -10, 100, &v), -1);
		assert_int_equal(v, 77);
	}
	assert_int_equal(str_int("-10", -10, 100, &v), 0);
	assert_int_equal(v, -10);
	assert_int_equal(str_int("100", -10, 100, &v), 0);
	assert_int_equal(v, 100);
	assert_int_equal(str_int("9223372036854775807", 0, INT64_MAX, &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(str_int("-9223372036854775808", INT64_MIN, 0, &v), 0);
	assert_true(v == INT64_MIN);
}

static void
test_duration(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "0", 0 }, { "1", 1000 }, { "250ms", 250 }, { "90s", 90000 },
		{ "30min", 1800000 }, { "4h", 14400000 }, { "2d", 172800000 },
		{ "4H", 14400000 }, { "0ms", 0 },
	};
	static const char *const bad[] = {
		"", "s", "-1s", "1.5h", "1 s", " 1s", "1s ", "1m", "1hour",
		"1h30min", "99999999999999999999s", "9223372036854775807d",
		"9223372036854775807", "0x10", "1e3",
	};
	int64_t v = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(str_duration(good[i].text, &v), 0);
		assert_int_equal(v, good[i].ms);
	}
	v = 5;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(str_duration(bad[i], &v), -1);
		assert_int_equal(v, 5);
	}
}

static void
test_duration_text(void **state)
{
	static const int64_t values[] = {
		0, 1, 250, 999, 1000, 1001, 59000, 60000, 90000, 3600000,
		5400000, 86400000, 86400001, 172800000, INT64_MAX,
	};
	char text[STR_NUM];
	int64_t v;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		str_duration_text(text, values[i]);
		assert_int_equal(str_duration(text, &v), 0);
		assert_true(v == values[i]);
	}
	assert_string_equal(str_duration_text(text, 90000), "90s");
	assert_string_equal(str_duration_text(text, 7200000), "2h");
	assert_string_equal(str_duration_text(text, 1500), "1500ms");
}

static void
test_size(void **state)
{
	static const char *const bad[] = {
		"", "kb", "-1kb", "1k", "1.5mb", "1 kb", "1tb",
		"9223372036854775807kb",
	};
	char text[STR_NUM];
	int64_t v = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(str_size(bad[i], &v), -1);
		assert_int_equal(v, 5);
	}
	assert_int_equal(str_size("512", &v), 0);
	assert_int_equal(v, 512);
	assert_int_equal(str_size("64kb", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(str_size("16MB", &v), 0);
	assert_int_equal(v, 16 << 20);
	assert_int_equal(str_size("3gb", &v), 0);
	assert_true(v == 3LL << 30);
	assert_string_equal(str_size_text(text, 65536), "64kb");
	assert_string_equal(str_size_text(text, 65537), "65537b");
	assert_string_equal(str_size_text(text, 0), "0b");
	assert_int_equal(str_size("65537b", &v), 0);
	assert_int_equal(v, 65537);
}

static void
test_bool(void **state)
{
	static const char *const yes[] = { "yes", "TRUE", "On", "1" };
	static const char *const no[] = { "no", "False", "OFF", "0" };
	static const char *const bad[] = { "", "y", "2", "yes ", "enable" };
	bool v;

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++) {
		v = false;
		assert_int_equal(str_bool(yes[i], &v), 0);
		assert_true(v);
		assert_int_equal(str_bool(no[i], &v), 0);
		assert_false(v);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(str_bool(bad[i], &v), -1);
}

/* Encode any number in n bytes, valid or not. */
static void
encode(uint8_t *p, uint32_t c, int n)
{
	static const uint8_t heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (int i = n - 1; i > 0; i--) {
		p[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	p[0] = (uint8_t)(heads[n] | c);
}

static int
shortest(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/* Every code point in every length: valid are those of RFC 3629. */
static void
test_utf8_all(void **state)
{
	static const uint32_t limits[] = { 0, 0x80, 0x800, 0x10000, 0x140000 };
	uint8_t p[4];

	(void)state;
	for (int n = 1; n <= 4; n++) {
		for (uint32_t c = 0; c < limits[n]; c++) {
			bool valid = shortest(c) == n && c <= 0x10ffff &&
			    !(c >= 0xd800 && c <= 0xdfff);

			encode(p, c, n);
			if (str_utf8(p, (size_t)n) != (valid ? n : 0))
				fail_msg("U+%04x in %d bytes", (unsigned)c, n);
			for (size_t cut = 1; valid && cut < (size_t)n; cut++)
				if (str_utf8(p, cut) != -1)
					fail_msg("U+%04x cut", (unsigned)c);
		}
	}
	for (int c = 0x80; c < 0x100; c++) {
		p[0] = (uint8_t)c;
		p[1] = 'a';
		assert_int_equal(str_utf8(p, 2), 0);
	}
	assert_int_equal(str_utf8(p, 0), -1);
}

static void
test_utf8_fit(void **state)
{
	(void)state;
	assert_int_equal(str_utf8_fit("", 3), 0);
	assert_int_equal(str_utf8_fit("abc", 3), 3);
	assert_int_equal(str_utf8_fit("abc", 2), 2);
	assert_int_equal(str_utf8_fit("a\xc3\xa9", 3), 3);
	assert_int_equal(str_utf8_fit("a\xc3\xa9", 2), 1);
	assert_int_equal(str_utf8_fit("\xf0\x9f\x98\x80", 3), 0);
	assert_int_equal(str_utf8_fit("\xf0\x9f\x98\x80z", 4), 4);
	assert_int_equal(str_utf8_fit("abc", 0), 0);
}

static void
safe(const char *in, size_t n, const char *out)
{
	char dst[200];

	str_safe(dst, sizeof(dst), in, n);
	assert_string_equal(dst, out);
}

static void
test_safe(void **state)
{
	(void)state;
	safe("plain text", 10, "plain text");
	safe("a\tb\r\n\0c\x7f", 8, "a\\x09b\\x0d\\x0a\\x00c\\x7f");
	safe("a\\b", 3, "a\\x5cb");
	safe("\x1b[31m", 5, "\\x1b[31m");
	safe("caf\xc3\xa9", 5, "caf\xc3\xa9");
	safe("caf\xc3", 4, "caf\\xc3");
	safe("\xff\xfe", 2, "\\xff\\xfe");
	/* C1 controls, also as UTF-8 (a terminal may obey them). */
	safe("\xc2\x9b" "31m", 5, "\\xc2\\x9b31m");
	safe("\xc2\xa0", 2, "\xc2\xa0");
	safe("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");
	safe("", 0, "");
}

/* Whatever the size, the result fits and is not cut inside a character. */
static void
test_safe_is_bounded(void **state)
{
	static const char in[] = "ab\x1b\xe2\x82\xac" "c\xf0\x9f\x98\x80\n";
	char dst[64];

	(void)state;
	for (size_t size = 1; size < sizeof(dst); size++) {
		size_t n;

		memset(dst, 'Z', sizeof(dst));
		str_safe(dst, size, in, sizeof(in) - 1);
		n = strlen(dst);
		assert_true(n < size);
		for (size_t i = size; i < sizeof(dst); i++)
			assert_int_equal(dst[i], 'Z');
		for (size_t i = 0; i < n;) {
			int len = str_utf8((uint8_t *)dst + i, n - i);

			assert_true(len > 0);
			i += (size_t)len;
		}
	}
	dst[0] = 'Z';
	str_safe(dst, 0, in, sizeof(in) - 1);
	assert_int_equal(dst[0], 'Z');
}

static void
test_name(void **state)
{
	static const char *const good[] = {
		"a", "0", "gw", "sw-1.rack_2", "A.b-c_9",
		"abcdefghijklmnopqrstuvwxyz012345",
	};
	static const char *const bad[] = {
		"", ".a", "-a", "_a", "a b", "a:b", "a/b", "a@b", "\xc3\xa9",
		"a\n", "abcdefghijklmnopqrstuvwxyz0123456", "a*",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(str_is_name(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(str_is_name(bad[i]));
}

static void
test_grouped(void **state)
{
	char s[STR_GROUPED];

	(void)state;
	assert_string_equal(str_grouped(s, 0), "0");
	assert_string_equal(str_grouped(s, 999), "999");
	assert_string_equal(str_grouped(s, 1000), "1,000");
	assert_string_equal(str_grouped(s, 1234567), "1,234,567");
	assert_string_equal(str_grouped(s, UINT64_MAX),
	    "18,446,744,073,709,551,615");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_int),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_duration_text),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_utf8_all),
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_utf8_fit),
		cmocka_unit_test(test_safe_is_bounded),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_grouped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
