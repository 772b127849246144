#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/otp.h"

static const struct otp_secret rfc = {
	.bytes = "12345678901234567890", .n = 20,
};

/* RFC 4226 appendix D: the truncated numbers, of which codes are the end. */
static void
hotp_is_that_of_the_rfc(void **state)
{
	static const char *const want[] = {
		"84755224", "94287082", "37359152", "26969429", "40338314",
		"68254676", "18287922", "82162583", "73399871", "45520489",
	};
	static const unsigned long full[] = {
		1284755224, 1094287082, 137359152, 1726969429, 1640338314,
		868254676, 1918287922, 82162583, 673399871, 645520489,
	};
	char code[OTP_CODE];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(otp_code(&rfc, i, code), 0);
		assert_string_equal(code, want[i]);
		assert_int_equal(strtoul(code, NULL, 10),
		    full[i] % 100000000);
	}
}

/* RFC 6238 appendix B, SHA-1. */
static void
totp_is_that_of_the_rfc(void **state)
{
	static const struct {
		int64_t at;
		const char *code;
	} want[] = {
		{ 59, "94287082" }, { 1111111109, "07081804" },
		{ 1111111111, "14050471" }, { 1234567890, "89005924" },
		{ 2000000000, "69279037" }, { INT64_C(20000000000),
		    "65353130" },
	};
	char code[OTP_CODE];
	uint64_t step;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct otp_time t = { true, want[i].at, 0 };

		assert_int_equal(otp_step(&t, &step), 0);
		assert_int_equal(otp_code(&rfc, step, code), 0);
		assert_string_equal(code, want[i].code);
	}
}

static void
codes_are_eight_digits(void **state)
{
	(void)state;
	assert_true(otp_is_code("00000000"));
	assert_true(otp_is_code("84755224"));
	assert_false(otp_is_code(""));
	assert_false(otp_is_code("8475522"));
	assert_false(otp_is_code("847552244"));
	assert_false(otp_is_code("8475522 "));
	assert_false(otp_is_code("-4755224"));
	assert_true(otp_equal("84755224", "84755224"));
	for (int i = 0; i < OTP_DIGITS; i++) {
		char other[OTP_CODE] = "84755224";

		other[i] ^= 1;
		assert_false(otp_equal("84755224", other));
	}
}

static void
search_looks_both_ways(void **state)
{
	struct otp_found f;
	char code[OTP_CODE];

	(void)state;
	for (unsigned at = 0; at < 40; at++) {
		otp_code(&rfc, at, code);
		otp_search(&rfc, code, 10, 20, 5, &f);
		assert_int_equal(f.ahead, at >= 10 && at <= 30);
		assert_int_equal(f.behind, at >= 5 && at < 10);
		if (f.ahead)
			assert_int_equal(f.ahead_at, at);
		if (f.behind)
			assert_int_equal(f.behind_at, at);
	}
	/* Nothing is before the first. */
	otp_code(&rfc, 0, code);
	otp_search(&rfc, code, 2, 20, 500, &f);
	assert_true(f.behind && f.behind_at == 0 && !f.ahead);
	otp_search(&rfc, "00000000", 2, 20, 500, &f);
	assert_false(f.ahead || f.behind);
}

/* Digits that come twice within a window: the later counter is meant. */
static void
search_takes_the_highest(void **state)
{
	struct otp_found f;
	char a[OTP_CODE], b[OTP_CODE];
	unsigned char *seen = calloc(100000000 / 8, 1);
	unsigned twice = 0, once = 0;

	(void)state;
	assert_non_null(seen);
	for (unsigned i = 0; twice == 0; i++) {
		unsigned long v;

		otp_code(&rfc, i, a);
		v = strtoul(a, NULL, 10);
		if (seen[v / 8] & (1 << v % 8))
			twice = i;
		seen[v / 8] = (unsigned char)(seen[v / 8] | 1 << v % 8);
	}
	free(seen);
	for (otp_code(&rfc, twice, a); once < twice; once++) {
		otp_code(&rfc, once, b);
		if (otp_equal(a, b))
			break;
	}
	assert_true(once < twice);
	otp_search(&rfc, a, 0, twice + 5, 0, &f);
	assert_true(f.ahead);
	assert_int_equal(f.ahead_at, twice);
	otp_search(&rfc, a, twice + 1, 20, twice + 1, &f);
	assert_false(f.ahead);
	assert_true(f.behind && f.behind_at == twice);
}

static void
time_needs_a_witness(void **state)
{
	struct otp_time t = { false, 1700000000, 0 };
	uint64_t step = 0;

	(void)state;
	assert_int_equal(otp_step(&t, &step), -1);
	t.smsc = t.now - 100;
	assert_int_equal(otp_step(&t, &step), 0);
	assert_int_equal(step, 1700000000 / 30);
	t.smsc = t.now + 1000;
	assert_int_equal(otp_step(&t, &step), -1);
	t.smsc = t.now - 1000;
	assert_int_equal(otp_step(&t, &step), -1);
	/* A clock that starts at 1970 has no witness either. */
	t.now = 100;
	t.smsc = 1700000000;
	assert_int_equal(otp_step(&t, &step), -1);
	t.smsc = -1;
	assert_int_equal(otp_step(&t, &step), -1);
	t.trusted = true;
	assert_int_equal(otp_step(&t, &step), 0);
	t.now = -5;
	assert_int_equal(otp_step(&t, &step), -1);
}

static void
base32_is_that_of_the_rfc(void **state)
{
	struct otp_secret s;
	char text[OTP_BASE32];

	(void)state;
	assert_string_equal(otp_base32(text, &rfc),
	    "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
	assert_int_equal(otp_base32_parse(text, &s), 0);
	assert_int_equal(s.n, 20);
	assert_memory_equal(s.bytes, rfc.bytes, 20);
	for (size_t n = 1; n <= OTP_SECRET_MAX; n++) {
		struct otp_secret in = { .n = n }, out;

		for (size_t i = 0; i < n; i++)
			in.bytes[i] = (uint8_t)(i * 37 + n);
		assert_int_equal(otp_base32_parse(otp_base32(text, &in),
		    &out), 0);
		assert_int_equal(out.n, n);
		assert_memory_equal(out.bytes, in.bytes, n);
	}
	assert_int_equal(otp_base32_parse("", &s), -1);
	assert_int_equal(otp_base32_parse("GEZ1", &s), -1);
	assert_int_equal(otp_base32_parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &s), -1);
}

static void
uri_is_encoded(void **state)
{
	char *uri;

	(void)state;
	uri = otp_uri(&rfc, false, "home oob", "alice", 7);
	assert_string_equal(uri, "otpauth://hotp/home%20oob:alice?"
	    "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=home%20oob"
	    "&digits=8&counter=7");
	free(uri);
	uri = otp_uri(&rfc, true, "a:b&c=\xc3\xa5", "x%y", 7);
	assert_string_equal(uri, "otpauth://totp/a%3Ab%26c%3D%C3%A5:x%25y?"
	    "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer="
	    "a%3Ab%26c%3D%C3%A5&digits=8&period=30");
	free(uri);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hotp_is_that_of_the_rfc),
		cmocka_unit_test(totp_is_that_of_the_rfc),
		cmocka_unit_test(codes_are_eight_digits),
		cmocka_unit_test(search_looks_both_ways),
		cmocka_unit_test(search_takes_the_highest),
		cmocka_unit_test(time_needs_a_witness),
		cmocka_unit_test(base32_is_that_of_the_rfc),
		cmocka_unit_test(uri_is_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
