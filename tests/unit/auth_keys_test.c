#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/keys.h"

/* Made by ssh-keygen for this test, as are the fingerprints (-l). */
#define ED25519_64 \
	    "AAAAC3NzaC1lZDI1NTE5AAAAIMkaXVq9K9oFjH41AuxpV6wP+vGszysrza51" \
	    "/3oy6jee"
#define SKED_64 \
	    "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIMkaXVq9K9oFjH41" \
	    "AuxpV6wP+vGszysrza51/3oy6jeeAAAABHNzaDo="
#define ECDSAB256_64 \
	    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEfPY61F" \
	    "jkosgI2OUaXxW6QmBOWy7YT1dKAi7RkDItC6h4SRD0fz1YJQJp4qpMH4S6YS" \
	    "5t7Nd/nCuNURyTUP/4A="
#define ECDSAB384_64 \
	    "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBHU1l4Ep" \
	    "CrkPSRafS1fFzfsud3giHQYU0BlI7X9j3Z5WIt2Zc5am0k+WOgwIV4jsKzjJ" \
	    "4AwREf5kHKBxdBqxui9L0L/O12V53R0hGg5Ixk+g34gy5HFcIGDDl2kXYo+T" \
	    "rQ=="
#define ECDSAB521_64 \
	    "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBABRkE9C" \
	    "hhdjbwCiNXgmuYBDANKZTxzrWRPVVZysh0b06c20llF11wCeeaKTgPvo698V" \
	    "AR1C55z3MJO75v4/s8Qw5gHPQz/Ymhq+FUD1/1o2ffO10D8qPZtvVxf6rSRH" \
	    "N6e61mNq5oVJKpC0XjtmoGnloVgPGp5jYViNtT/M0h4R2fWIOQ=="
#define SKEC_64 \
	    "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlz" \
	    "dHAyNTYAAABBBEfPY61FjkosgI2OUaXxW6QmBOWy7YT1dKAi7RkDItC6h4SR" \
	    "D0fz1YJQJp4qpMH4S6YS5t7Nd/nCuNURyTUP/4AAAAAEc3NoOg=="
#define RSAB3072_64 \
	    "AAAAB3NzaC1yc2EAAAADAQABAAABgQCk23K+cVDWaS5i7/Fe5RTimhxpqOhH" \
	    "YHYgg0iU2UfmjcUReQR6Bo1EY+iIWFQFVRXA99tWEkbLEdKXtQI6XmtI8WVt" \
	    "n3+TQ1WTSKY+e4HnTO4f2mOKQbgFhvCMlQnI26FxVuzmsYgvtDkcMYoDrm+k" \
	    "qNwBGbq7rL08sLHsy7jqEOgKSroo7dRKkml/MkzvalNFKtPLQymdAgT30wiA" \
	    "w6B22lBjXLjm5aosEE59US+tTbUqu/fDkmR/n6I/B8vCOoJ2WzkWE1H21vjF" \
	    "3gozksrIttsLwKpgSoZxFL8sjcWO1jSfqTzTgxofM1NYY/fL6FfPrjW6lf72" \
	    "17kUOalDJk+ZjfIXalAHziUdumwK76u03dl/bsj6z+mqj15r3ETNHVUbmA1/" \
	    "mTcoxJ5kaHSIkg5Vi27JNWSom1tEivHTOpGGlnM9lDST7V1oXFXVICL52Noj" \
	    "UcFpxaW7Qd6TMWr237cs5L3GQWXm9Uth0PqPAmdB1uhTKK8FueXsBnSPoKIN" \
	    "kDs="
#define RSAB2048_64 \
	    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDJTGywNJOTSVj0rQT+A7gvusIfWZfH" \
	    "4xUiYpNwQbzNW84JTbQh5Jxv3BEwOUqCpfZKraoas3vepIWESczpSmRBuEHt" \
	    "+k0smy1W0rAwzW3/wUKIc/bkSei9rQAY7V2PJcVcIcEHdFut/iQ1Ry5WgcTI" \
	    "elNJncPJwu86FmzJA7SQJJBABSL7RQF3OOCuI+5alYrsXM/g7QaXLN5xY7Tv" \
	    "VtlIAh3T7fIVsdAF+6FDJzG2u6yjt6nV4Sw/gB2qsZu/hsA4A0iZqXysrrzj" \
	    "4vbznIR2Xd3zrCvkJOluXUByGAt4NSFqc2nGzW/zlpXCmS4aI1yHbvfL5+XT" \
	    "uKcl/slv0N9P"

static const struct {
	const char *type, *base64, *fingerprint;
} good[] = {
	{ "ssh-ed25519", ED25519_64,
	    "SHA256:VIImBuhmSVdvkGLo1z+ef4/Qwcdhl6MO5ZRn4T2OSHc" },
	{ "sk-ssh-ed25519@openssh.com", SKED_64,
	    "SHA256:O8vdzWnZzjlnryYo9S7Mm7/ea569CGjoPeGQ0vXgZhE" },
	{ "ecdsa-sha2-nistp256", ECDSAB256_64,
	    "SHA256:n1nqorOw5nHcu3iIr+LlE7wUQqyNhVfxXm6LjV7ag9I" },
	{ "ecdsa-sha2-nistp384", ECDSAB384_64,
	    "SHA256:yED7xgjVIl78Gk702ZiNo7z9BSCuMnBHf60alvrXZkM" },
	{ "ecdsa-sha2-nistp521", ECDSAB521_64,
	    "SHA256:PVfdMvrm3NxU6fAanzvv2fHn9F8ITnViTdwk9FogIQo" },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", SKEC_64,
	    "SHA256:8qq5ScbtRghhRbuYBKSouGI/MOWFqcgH1ru0MVb8D0A" },
	{ "ssh-rsa", RSAB3072_64,
	    "SHA256:UB4vWcaPsY9eLEx5YK3p/6cEim5C1lRyvLYlAv2AYVU" },
};

#define LINE "ssh-ed25519 " ED25519_64 " alice@laptop"
#define FUTURE 4102444800000000		/* 2100-01-01 */

static char err[KEY_ERROR];

static struct key *
parsed(const char *line)
{
	struct key *k = NULL;
	int r;

	err[0] = '\0';
	r = key_parse(line, &k, err, sizeof(err));
	if (r != 1)
		fail_msg("%d \"%s\" for: %.100s", r, err, line);
	return k;
}

/* The line is refused, and the message names this. */
static void
refused(const char *line, const char *what)
{
	struct key *k = NULL;

	err[0] = '\0';
	assert_int_equal(key_parse(line, &k, err, sizeof(err)), -1);
	assert_null(k);
	if (strstr(err, what) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, what);
}

static void
test_types(void **state)
{
	char line[2048], fp[KEY_FINGERPRINT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct key *k;

		snprintf(line, sizeof(line), "%s %s who@where", good[i].type,
		    good[i].base64);
		k = parsed(line);
		assert_string_equal(key_type(k), good[i].type);
		assert_string_equal(key_base64(k), good[i].base64);
		assert_string_equal(key_comment(k), "who@where");
		assert_string_equal(key_fingerprint(fp, k),
		    good[i].fingerprint);
		for (size_t j = 0; j < sizeof(good) / sizeof(good[0]); j++)
			assert_int_equal(key_matches(k, good[j].base64),
			    i == j);
		key_free(k);
	}
}

static void
test_blank_and_comment(void **state)
{
	static const char *const lines[] = {
		"", " ", "\t \r", "#", "# " LINE, "  # x",
	};
	struct key *k = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(key_parse(lines[i], &k, err, sizeof(err)), 0);
	assert_null(k);
}

static void
test_form(void **state)
{
	struct key *k, *l;

	(void)state;
	k = parsed("  \tssh-ed25519\t  " ED25519_64 "  a  b c \r");
	assert_string_equal(key_comment(k), "a  b c");
	l = parsed("ssh-ed25519 " ED25519_64);
	assert_string_equal(key_comment(l), "");
	assert_true(key_equal(k, l));
	key_free(k);
	key_free(l);
	k = parsed("ssh-ed25519 " ED25519_64 " caf\xc3\xa9 \xff\\");
	assert_string_equal(key_comment(k), "caf\xc3\xa9 \\xff\\x5c");
	key_free(k);
	refused("ssh-ed25519 " ED25519_64 " \x1b[31m", "control character");
	refused("ssh-ed25519", "missing");
	refused("restrict", "no key");
	refused("from=\"*\" ", "no key");
}

static void
test_refused_types(void **state)
{
	(void)state;
	refused("ssh-dss AAAAB3NzaC1kc3MAAACBAP== x", "ssh-keygen");
	refused("ssh-rsa-cert-v01@openssh.com AAAA x", "certificate");
	refused("ssh-ed25519-cert-v01@openssh.com AAAA x", "certificate");
	refused("restrict ssh-ed25519-cert-v01@openssh.com AAAA", "certif");
	refused("rsa-sha2-512 " RSAB3072_64, "ssh-rsa");
	refused("ssh-ed448 AAAAC3Nz", "ssh-ed448");
	refused("restrict ssh-ed448 AAAAC3Nz", "ssh-ed448");
	refused("SSH-ED25519 " ED25519_64, "SSH-ED25519");
	refused("ssh-rsa " RSAB2048_64, "3072");
	refused("1024 65537 1234567890 rsa1@old", "1024");
}

/* The type outside is not what is inside. */
static void
test_type_mismatch(void **state)
{
	(void)state;
	refused("ssh-rsa " ED25519_64, "another type");
	refused("ssh-ed25519 " RSAB3072_64, "another type");
	refused("ssh-ed25519 " SKED_64, "another type");
	refused("ecdsa-sha2-nistp384 " ECDSAB256_64, "another type");
}

static void
base64_of(char *dst, size_t size, const void *p, size_t n)
{
	sodium_bin2base64(dst, size, p, n, sodium_base64_VARIANT_ORIGINAL);
}

/* No beginning of a blob is a key, and none with something behind it. */
static void
test_cut_blobs(void **state)
{
	char line[3000], text[2048];
	uint8_t blob[1024];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *b = good[i].base64;
		struct key *k = NULL;

		memset(blob, 0, sizeof(blob));
		assert_int_equal(sodium_base642bin(blob, sizeof(blob), b,
		    strlen(b), NULL, &len, NULL,
		    sodium_base64_VARIANT_ORIGINAL), 0);
		for (size_t n = 0; n <= len + 5; n++) {
			base64_of(text, sizeof(text), blob, n);
			snprintf(line, sizeof(line), "%s %s", good[i].type,
			    text);
			assert_int_equal(key_parse(line, &k, err,
			    sizeof(err)), n == len ? 1 : -1);
			if (n == len)
				key_free(k);
		}
	}
}

static void
test_base64(void **state)
{
	char line[400];

	(void)state;
	refused("ssh-ed25519 AAAA!", "base64");
	refused("ssh-ed25519 " ED25519_64 "=", "base64");
	refused("ssh-ed25519 " ED25519_64 "==== x", "base64");
	refused("ssh-ed25519 \"" ED25519_64 "\"", "base64");
	/* A last digit whose spare bits are not 0 names the same bytes. */
	snprintf(line, sizeof(line), "ecdsa-sha2-nistp256 %s", ECDSAB256_64);
	key_free(parsed(line));
	assert_int_equal(line[strlen(line) - 1], '=');
	line[strlen(line) - 2]++;
	refused(line, "base64");
	line[strlen(line) - 1] = '\0';
	refused(line, "base64");
}

static void
rsa(const char *e, size_t elen, uint8_t top, size_t nlen, uint8_t last,
    const char *why)
{
	uint8_t blob[4096] = "\0\0\0\7ssh-rsa";
	char line[8000];
	size_t at = 11;
	struct key *k = NULL;

	blob[at + 3] = (uint8_t)elen;
	memcpy(blob + at + 4, e, elen);
	at += 4 + elen;
	blob[at + 2] = (uint8_t)(nlen >> 8);
	blob[at + 3] = (uint8_t)nlen;
	memset(blob + at + 4, 0x55, nlen);
	blob[at + 4] = top;
	blob[at + 4 + nlen - 1] = last;
	at += 4 + nlen;
	strcpy(line, "ssh-rsa ");
	base64_of(line + 8, sizeof(line) - 8, blob, at);
	if (why != NULL) {
		refused(line, why);
		return;
	}
	assert_int_equal(key_parse(line, &k, err, sizeof(err)), 1);
	key_free(k);
}

static void
test_rsa_numbers(void **state)
{
	(void)state;
	rsa("\1\0\1", 3, 0x7f, 385, 1, NULL);	/* 3079 bits */
	rsa("\3", 1, 0x01, 385, 1, NULL);	/* 3073 bits */
	rsa("\3", 1, 0x7f, 384, 1, "3072");	/* 3071 bits */
	rsa("\3", 1, 0x80, 385, 1, "modulus");	/* negative */
	rsa("\3", 1, 0x00, 386, 1, "modulus");	/* 0 in front of 0x55 */
	rsa("\3", 1, 0x7f, 385, 2, "modulus");	/* even */
	rsa("\2", 1, 0x7f, 385, 1, "exponent");
	rsa("\1", 1, 0x7f, 385, 1, "exponent");
	rsa("", 0, 0x7f, 385, 1, "exponent");
	rsa("\0", 1, 0x7f, 385, 1, "exponent");
	rsa("\0\3", 2, 0x7f, 385, 1, "exponent");
	rsa("\3", 1, 0x7f, 2060, 1, "16384");
}

static void
test_options_refused(void **state)
{
	static const char *const names[] = {
		"command=\"/bin/sh\"", "environment=\"A=b\"",
		"verify-required", "tunnel=\"0\"",
		"permitopen=\"a:1\"", "permitlisten=\"1\"", "verify-required",
		"no-touch-required", "port-forwarding", "agent-forwarding",
		"X11-forwarding", "user-rc", "no-pty", "NO-PTY", "zap",
		"restricted", "valid-before=\"20300101\"",
	};
	char line[400], name[40];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "\"%.*s\"",
		    (int)strcspn(names[i], "="), names[i]);
		snprintf(line, sizeof(line), "%s " LINE, names[i]);
		refused(line, name);
		snprintf(line, sizeof(line), "restrict,%s " LINE, names[i]);
		refused(line, name);
		snprintf(line, sizeof(line), "%s,restrict " LINE, names[i]);
		refused(line, name);
	}
}

static void
test_options_taken(void **state)
{
	struct key *k;

	(void)state;
	k = parsed("restrict,pty,no-port-forwarding,No-Agent-Forwarding,"
	    "no-X11-forwarding,no-user-rc,from=\"192.0.2.1\","
	    "expiry-time=\"20991231Z\" " LINE);
	assert_string_equal(key_comment(k), "alice@laptop");
	assert_true(key_allows(k, "192.0.2.1", 0, NULL));
	key_free(k);
}

static void
test_options_form(void **state)
{
	(void)state;
	refused(",restrict " LINE, "missing");
	refused("restrict, " LINE, "missing");
	refused("restrict,,pty " LINE, "missing");
	refused("from=192.0.2.1 " LINE, "quotes");
	refused("from " LINE, "from");
	refused("from=\"192.0.2.1 " LINE, "closing");
	refused("from=\"192.0.2.1\\\" " LINE, "closing");
	refused("from=\"192.0.2.1\"restrict " LINE, "comma");
	refused("restrict=\"no\" " LINE, "comma");
	refused("from=\"1.1.1.1\",from=\"*\" " LINE, "twice");
	refused("expiry-time=\"20300101\",expiry-time=\"20310101\" " LINE,
	    "twice");
	refused("restrict " LINE "\n" LINE, "control");
}

static void
test_from_refused(void **state)
{
	static const char *const lists[] = {
		"", "host.example.net", "*.example.net", "192.0.2.1,",
		",192.0.2.1", "!", "192.0.2.1/33", "192.0.2.1/24",
		"2001:db8::/129", "2001:db8::1/32", "192.0.2.0/x", "/8",
		"192.0.2.0/", "192.0.2", "beef", "*.cafe", "192.0.2.1 ",
		"192.0.2.1, 192.0.2.2", "1.2.3.4/24/8", "fe80::1%eth0",
		"!!1.2.3.4", "10.0.0.0/-1", "[0-9]*",
	};
	char line[400];

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		snprintf(line, sizeof(line), "from=\"%s\" " LINE, lists[i]);
		refused(line, "from=");
	}
}

static void
test_from(void **state)
{
	static const struct {
		const char *list, *address;
		bool allowed;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.10", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "8.8.8.8", false },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:0DB8:0:0:0:0:0:1", "2001:db8::1", true },
		{ "fe80::1", "fe80::1%eth0", true },
		{ "192.0.2.*", "192.0.2.77", true },
		{ "192.0.*", "192.0.2.77", true },
		{ "192.0.2.?", "192.0.2.7", true },
		{ "192.0.2.?", "192.0.2.77", false },
		{ "*", "192.0.2.77", true },
		{ "*", "2001:db8::1", true },
		{ "2001:DB8:*", "2001:db8::1", true },
		{ "*.*.*.7", "1.1.7.7", true },
		{ "*.*.*.7", "1.1.7.1", false },
		{ "10.0.0.0/8,192.0.2.1", "192.0.2.1", true },
		{ "10.0.0.0/8,192.0.2.1", "192.0.2.2", false },
		{ "*,!192.0.2.1", "192.0.2.1", false },
		{ "!192.0.2.1,*", "192.0.2.1", false },
		{ "*,!192.0.2.1", "192.0.2.2", true },
		{ "!192.0.2.0/24,192.0.0.0/16", "192.0.2.2", false },
		{ "!192.0.2.0/24,192.0.0.0/16", "192.0.3.2", true },
		{ "!192.0.2.1", "192.0.2.2", false },	/* none is positive */
		{ "*", NULL, false },
		{ "*", "relay", false },
		{ "*", "", false },
	};
	char line[400];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = "unset";
		struct key *k;

		snprintf(line, sizeof(line), "from=\"%s\" " LINE,
		    cases[i].list);
		k = parsed(line);
		if (key_allows(k, cases[i].address, 0, &why) !=
		    cases[i].allowed)
			fail_msg("%s from %s", cases[i].list,
			    cases[i].address);
		if (cases[i].allowed)
			assert_null(why);
		else
			assert_non_null(strstr(why, "address"));
		key_free(k);
	}
}

static void
expires(const char *when, int64_t utc_s)
{
	const char *why;
	char line[400];
	struct key *k;

	snprintf(line, sizeof(line), "expiry-time=\"%s\" " LINE, when);
	k = parsed(line);
	assert_true(key_allows(k, NULL, utc_s * 1000000 - 1, &why));
	assert_false(key_allows(k, NULL, utc_s * 1000000, &why));
	assert_non_null(strstr(why, "expired"));
	key_free(k);
}

static void
test_expiry(void **state)
{
	struct key *k;

	(void)state;
	expires("20300101Z", 1893456000);
	expires("203001011234Z", 1893456000 + 12 * 3600 + 34 * 60);
	expires("20300101123456Z", 1893456000 + 12 * 3600 + 34 * 60 + 56);
	expires("20280229Z", 1835395200);
	setenv("TZ", "XXX-2", 1);
	tzset();
	expires("20300101", 1893456000 - 7200);
	expires("20300101000001", 1893456000 - 7199);
	expires("20300101Z", 1893456000);
	unsetenv("TZ");
	tzset();
	k = parsed(LINE);
	assert_true(key_allows(k, NULL, FUTURE * 10, NULL));
	key_free(k);
}

static void
test_expiry_refused(void **state)
{
	static const char *const bad[] = {
		"", "2030", "2030010", "203001011", "20300101123",
		"2030010112345", "203001011234567", "20301301Z", "20300001",
		"20300100", "20300132", "20300230Z", "20290229Z",
		"203001012400", "203001010060", "20300101000060", "20300101z",
		"20300101ZZ", "20300101 Z", "2030-01-01", "never", "-2030101",
	};
	char line[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "expiry-time=\"%s\" " LINE,
		    bad[i]);
		refused(line, "expiry-time=");
	}
}

static void
test_length(void **state)
{
	char line[KEY_LINE_MAX + 100], head[] = LINE;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, head, sizeof(head) - 1);
	line[KEY_LINE_MAX] = '\0';
	key_free(parsed(line));
	line[KEY_LINE_MAX] = 'x';
	line[KEY_LINE_MAX + 1] = '\0';
	refused(line, "longer");
}

/* Messages show nothing that could move a terminal's cursor. */
static void
test_messages_are_safe(void **state)
{
	(void)state;
	refused("\xc2\x9b" "31m=\"x\" " LINE, "\\xc2\\x9b");
	refused("from=\"\xff\" " LINE, "\\xff");
}

static void
test_authorities(void **state)
{
	struct key *k;

	(void)state;
	k = parsed("cert-authority,principals=\"alice,ops\" " LINE);
	assert_true(key_is_authority(k));
	assert_string_equal(key_principals(k), "alice,ops");
	key_free(k);
	k = parsed("from=\"10.0.0.0/8\",cert-authority " LINE);
	assert_true(key_is_authority(k));
	assert_null(key_principals(k));
	assert_false(key_allows(k, "192.0.2.1", 0, NULL));
	key_free(k);
	k = parsed(LINE);
	assert_false(key_is_authority(k));
	key_free(k);
	refused("principals=\"alice\" " LINE, "add cert-authority");
	refused("cert-authority,principals=\"a b\" " LINE, "blanks");
	refused("cert-authority,principals=\"\" " LINE, "names");
	refused("cert-authority,principals=\"a,,b\" " LINE, "names");
	refused("cert-authority,principals=\"a\",principals=\"b\" " LINE,
	    "twice");
	refused("cert-authority ecdsa-sha2-nistp256 " ECDSAB256_64,
	    "must be an ssh-ed25519 key");
	refused("verify-required " LINE, "does not tell");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_blank_and_comment),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_refused_types),
		cmocka_unit_test(test_type_mismatch),
		cmocka_unit_test(test_cut_blobs),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_rsa_numbers),
		cmocka_unit_test(test_options_refused),
		cmocka_unit_test(test_options_taken),
		cmocka_unit_test(test_options_form),
		cmocka_unit_test(test_from_refused),
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_expiry_refused),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_messages_are_safe),
		cmocka_unit_test(test_authorities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
