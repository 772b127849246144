#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "auth/blob.h"
#include "auth/cert.h"

/*
 * Made for this test by ssh-keygen -s: -I alice@laptop -z 7 -n alice,ops
 * -V 20260101:20280101 -O source-address=192.0.2.0/24,2001:db8::/32; one for
 * an ECDSA key; and a host's.
 */
#define CERT \
	    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIHjyXiu9" \
	    "0AtqKf3LQHlzb4bWAQ6vcnRS9FCn4usKvMbKAAAAILjkYavKbqsSrr8a3YD5" \
	    "W0+kQXwmLp1jn5WNdo/xjn+2AAAAAAAAAAcAAAABAAAADGFsaWNlQGxhcHRv" \
	    "cAAAABAAAAAFYWxpY2UAAAADb3BzAAAAAGlVuQAAAAAAbRggAAAAADQAAAAO" \
	    "c291cmNlLWFkZHJlc3MAAAAeAAAAGjE5Mi4wLjIuMC8yNCwyMDAxOmRiODo6" \
	    "LzMyAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1p" \
	    "dC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJk" \
	    "aW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAA" \
	    "AAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACBMpR/iK0d96M6e+Q4UzSTt" \
	    "z7iSI8y2M9oiEEHwTrLEngAAAFMAAAALc3NoLWVkMjU1MTkAAABAResQ4W0G" \
	    "sv65mXvujTtDNTPcuVwbcO6goO/NlfFKZJW9xotFsSW658cNV/08Viu/G3vT" \
	    "1W3V5Iu3X8uIxV00BA=="
#define ECDSA_CERT \
	    "AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20A" \
	    "AAAgXnw3h1p3bWVFN/wPyz/1rQQ+P+dKDAXGNVtyEazd47sAAAAIbmlzdHAy" \
	    "NTYAAABBBGtMZr8MDV52v2Y/wqpVn/SjPcILYa0T/4C06VyAWKlYuCT2xCqi" \
	    "cyr85cXu5MIgqARHUgRX9mKLE7P07C5weaMAAAAAAAAACAAAAAEAAAACZWMA" \
	    "AAAHAAAAA2JvYgAAAABpVbkAAAAAAG0YIAAAAAAAAAAAggAAABVwZXJtaXQt" \
	    "WDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5n" \
	    "AAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQt" \
	    "cHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gt" \
	    "ZWQyNTUxOQAAACBMpR/iK0d96M6e+Q4UzSTtz7iSI8y2M9oiEEHwTrLEngAA" \
	    "AFMAAAALc3NoLWVkMjU1MTkAAABA3vB4525R8iI07gT2dG3asx+jGmRssJ9l" \
	    "xhVRwML6xTO61mR0wERmIQIX2DZoP+Iamk0A61pNL6lKvlmJglxrCg=="
#define HOST_CERT \
	    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIKINhyKo" \
	    "xkHitqVLUvQ1/SZKpuBsJ2sWbE9eUguBwSzhAAAAILjkYavKbqsSrr8a3YD5" \
	    "W0+kQXwmLp1jn5WNdo/xjn+2AAAAAAAAAAAAAAACAAAABGhvc3QAAAAIAAAA" \
	    "BGhvc3QAAAAAAAAAAP//////////AAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gt" \
	    "ZWQyNTUxOQAAACBMpR/iK0d96M6e+Q4UzSTtz7iSI8y2M9oiEEHwTrLEngAA" \
	    "AFMAAAALc3NoLWVkMjU1MTkAAABABiE0RzH37L9ZbuoAZv2fA/kApl7mPAwj" \
	    "jyML9w5bF4B+nmAUe9bVtPSSOJFbWAmJFWBv3JHJR7141b09rWURDA=="
#define ECDSA_KEY \
	    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGtMZr8M" \
	    "DV52v2Y/wqpVn/SjPcILYa0T/4C06VyAWKlYuCT2xCqicyr85cXu5MIgqARH" \
	    "UgRX9mKLE7P07C5weaM="
#define KEY \
	    "AAAAC3NzaC1lZDI1NTE5AAAAILjkYavKbqsSrr8a3YD5W0+kQXwmLp1jn5WN" \
	    "do/xjn+2"
#define AUTHORITY \
	    "AAAAC3NzaC1lZDI1NTE5AAAAIEylH+IrR33ozp75DhTNJO3PuJIjzLYz2iIQ" \
	    "QfBOssSe"
#define FROM INT64_C(1767225600)	/* 2026-01-01 */
#define UNTIL INT64_C(1830297600)	/* 2028-01-01 */

static struct cert *
parsed(const char *base64)
{
	const char *why = "?";
	struct cert *c = cert_parse(base64, &why);

	if (c == NULL)
		fail_msg("%s", why);
	assert_null(why);
	return c;
}

static void
a_certificate_is_read(void **state)
{
	char text[CERT_TEXT];
	struct cert *c;

	(void)state;
	assert_true(cert_is(CERT));
	assert_true(cert_is(ECDSA_CERT));
	assert_false(cert_is(KEY));
	assert_false(cert_is(""));
	assert_false(cert_is("AAAA"));
	c = parsed(CERT);
	assert_string_equal(cert_key(c), KEY);
	assert_string_equal(cert_authority(c), AUTHORITY);
	assert_int_equal(cert_serial(c), 7);
	assert_string_equal(cert_id(c), "alice@laptop");
	assert_true(cert_id_is(c, "alice@laptop"));
	assert_false(cert_id_is(c, "alice@lapto"));
	assert_true(cert_names(c, "alice"));
	assert_true(cert_names(c, "ops"));
	assert_false(cert_names(c, "alic"));
	assert_false(cert_names(c, "bob"));
	assert_false(cert_names(c, ""));
	assert_string_equal(cert_text(text, c),
	    "certificate alice@laptop (serial 7)");
	cert_free(c);
	c = parsed(ECDSA_CERT);
	assert_string_equal(cert_key(c), ECDSA_KEY);
	assert_null(cert_allows(c, "203.0.113.9"));
	assert_null(cert_allows(c, NULL));
	cert_free(c);
}

static void
its_time_and_place(void **state)
{
	struct cert *c = parsed(CERT);

	(void)state;
	assert_null(cert_valid(c, FROM));
	assert_null(cert_valid(c, UNTIL - 1));
	assert_string_equal(cert_valid(c, FROM - 1),
	    "a certificate that is not valid yet");
	assert_string_equal(cert_valid(c, -1),
	    "a certificate that is not valid yet");
	assert_string_equal(cert_valid(c, UNTIL),
	    "a certificate that has expired");
	assert_null(cert_allows(c, "192.0.2.255"));
	assert_null(cert_allows(c, "2001:db8:ffff::1"));
	assert_non_null(cert_allows(c, "192.0.3.0"));
	assert_non_null(cert_allows(c, "2001:db9::"));
	assert_non_null(cert_allows(c, ""));
	assert_non_null(cert_allows(c, "relay"));
	assert_non_null(cert_allows(c, NULL));
	cert_free(c);
}

/* Any bit of it, any byte less, any byte more. */
static void
whatever_is_changed_is_refused(void **state)
{
	const char *why;
	size_t n;
	uint8_t *blob = blob_decode(CERT, &n), *copy;
	char *text;

	(void)state;
	assert_non_null(blob);
	copy = malloc(n + 1);
	assert_non_null(copy);
	for (size_t i = 0; i < n * 8; i++) {
		memcpy(copy, blob, n);
		copy[i / 8] ^= (uint8_t)(1 << i % 8);
		text = blob_encode(copy, n);
		why = NULL;
		assert_null(cert_parse(text, &why));
		assert_non_null(why);
		free(text);
	}
	memcpy(copy, blob, n);
	copy[n] = 0;
	for (size_t i = 0; i <= n + 1; i++) {
		if (i == n)
			continue;
		text = blob_encode(copy, i);
		assert_null(cert_parse(text, &why));
		free(text);
	}
	free(copy);
	free(blob);
}

static void
what_is_none_is_refused(void **state)
{
	const char *why;

	(void)state;
	assert_null(cert_parse(HOST_CERT, &why));
	assert_string_equal(why, "no user's certificate");
	assert_null(cert_parse(KEY, &why));
	assert_null(cert_parse("", &why));
	assert_null(cert_parse("AAAA", &why));
	assert_null(cert_parse("not base64!", &why));
	assert_string_equal(why, "no certificate");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_read),
		cmocka_unit_test(its_time_and_place),
		cmocka_unit_test(whatever_is_changed_is_refused),
		cmocka_unit_test(what_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
