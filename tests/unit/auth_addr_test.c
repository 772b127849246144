#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "auth/addr.h"

static void
expect(const char *in, const char *out)
{
	char text[ADDR_TEXT];
	struct addr a;

	assert_int_equal(addr_parse(in, &a), 0);
	assert_string_equal(addr_text(text, &a), out);
}

static void
test_parse(void **state)
{
	static const char *const bad[] = {
		"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "localhost", "::g",
		"1.2.3.4%eth0", "[::1]", " ::1", "1.2.3.4 ", "%",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};
	struct addr a;

	(void)state;
	expect("192.0.2.1", "192.0.2.1");
	expect("2001:DB8:0:0::1", "2001:db8::1");
	expect("::ffff:192.0.2.7", "192.0.2.7");
	expect("fe80::1%eth0", "fe80::1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(addr_parse(bad[i], &a), -1);
}

static void
masked(const char *in, unsigned bits, const char *out)
{
	char text[ADDR_TEXT];
	struct addr a;

	assert_int_equal(addr_parse(in, &a), 0);
	addr_mask(&a, bits);
	assert_string_equal(addr_text(text, &a), out);
}

static void
test_mask(void **state)
{
	(void)state;
	masked("255.255.255.255", 32, "255.255.255.255");
	masked("255.255.255.255", 31, "255.255.255.254");
	masked("255.255.255.255", 25, "255.255.255.128");
	masked("255.255.255.255", 24, "255.255.255.0");
	masked("255.255.255.255", 1, "128.0.0.0");
	masked("255.255.255.255", 0, "0.0.0.0");
	masked("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::");
	masked("ffff::ffff", 128, "ffff::ffff");
	masked("ffff::ffff", 127, "ffff::fffe");
}

/* An IPv4 address and an IPv6 one with the same bits are not the same. */
static void
test_equal(void **state)
{
	struct addr a, b;

	(void)state;
	addr_parse("1.2.3.4", &a);
	addr_parse("102:304::", &b);
	assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes));
	assert_false(addr_equal(&a, &b));
	addr_parse("::ffff:1.2.3.4", &b);
	assert_true(addr_equal(&a, &b));
}

static void
test_loopback(void **state)
{
	struct addr a;

	(void)state;
	addr_parse("127.9.9.9", &a);
	assert_true(addr_is_loopback(&a));
	addr_parse("::1", &a);
	assert_true(addr_is_loopback(&a));
	addr_parse("::ffff:127.0.0.1", &a);
	assert_true(addr_is_loopback(&a));
	addr_parse("128.0.0.1", &a);
	assert_false(addr_is_loopback(&a));
	addr_parse("7f00::1", &a);
	assert_false(addr_is_loopback(&a));
	addr_parse("::", &a);
	assert_false(addr_is_loopback(&a));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
