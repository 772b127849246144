/*
 * Requests are put together and signed here, of every kind of key; that real
 * clients put them together alike is shown by their logins (tests/e2e).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "auth/blob.h"
#include "auth/proof.h"

#define ROOM 4096
#define APPLICATION "ssh:"
#define MADE 69

struct bytes {
	size_t n;
	uint8_t p[ROOM];
};

/* A login, signed. */
struct login {
	struct bytes key, data, made, sig;
	EVP_PKEY *pair;
	struct proof proof;
};

struct kind {
	const char *type, *algorithm;
	const char *curve;		/* as SSH has it; NULL: none */
	const char *digest;		/* NULL: none */
	bool authenticator;
};

static const struct kind kinds[] = {
	{ "ssh-ed25519", "ssh-ed25519", NULL, NULL, false },
	{ "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", NULL,
	    NULL, true },
	{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "nistp256", "SHA256",
	    false },
	{ "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "nistp384", "SHA384",
	    false },
	{ "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "nistp521", "SHA512",
	    false },
	{ "sk-ecdsa-sha2-nistp256@openssh.com",
	    "sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", "SHA256", true },
	{ "ssh-rsa", "rsa-sha2-256", NULL, "SHA256", false },
	{ "ssh-rsa", "rsa-sha2-512", NULL, "SHA512", false },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
put(struct bytes *b, const void *p, size_t n)
{
	assert_true(b->n + n <= sizeof(b->p));
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void
put_byte(struct bytes *b, uint8_t byte)
{
	put(b, &byte, 1);
}

static void
put_string(struct bytes *b, const void *p, size_t n)
{
	const uint8_t head[] = { 0, 0, (uint8_t)(n >> 8), (uint8_t)n };

	put(b, head, sizeof(head));
	put(b, p, n);
}

static void
put_text(struct bytes *b, const char *text)
{
	put_string(b, text, strlen(text));
}

static void
put_number(struct bytes *b, EVP_PKEY *key, const char *name)
{
	BIGNUM *n = NULL;
	uint8_t bytes[1024] = { 0 };
	int len;

	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
	len = BN_bn2bin(n, bytes + 1);
	/* A number is signed: RFC 4251 5. */
	if (bytes[1] & 0x80)
		put_string(b, bytes, (size_t)len + 1);
	else
		put_string(b, bytes + 1, (size_t)len);
	BN_free(n);
}

static void
generate(struct login *l, const struct kind *k)
{
	uint8_t raw[256];
	size_t n = sizeof(raw);

	put_text(&l->key, k->type);
	if (k->curve != NULL) {
		const char *names[] = { "P-256", "P-384", "P-521" };
		size_t i = k->curve[5] == '2' ? 0 : k->curve[5] == '3' ? 1 : 2;

		l->pair = EVP_PKEY_Q_keygen(NULL, NULL, "EC", names[i]);
		assert_int_equal(EVP_PKEY_get_octet_string_param(l->pair,
		    OSSL_PKEY_PARAM_PUB_KEY, raw, sizeof(raw), &n), 1);
		put_text(&l->key, k->curve);
		put_string(&l->key, raw, n);
	} else if (k->digest == NULL) {
		l->pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		assert_int_equal(EVP_PKEY_get_raw_public_key(l->pair, raw,
		    &n), 1);
		put_string(&l->key, raw, n);
	} else {
		l->pair = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
		put_number(&l->key, l->pair, OSSL_PKEY_PARAM_RSA_E);
		put_number(&l->key, l->pair, OSSL_PKEY_PARAM_RSA_N);
	}
	if (k->authenticator)
		put_text(&l->key, APPLICATION);
}

/* RFC 4252 7 */
static void
request(struct login *l, const char *name, const char *algorithm)
{
	uint8_t session[32];

	randombytes_buf(session, sizeof(session));
	put_string(&l->data, session, sizeof(session));
	put_byte(&l->data, 50);
	put_text(&l->data, name);
	put_text(&l->data, "ssh-connection");
	put_text(&l->data, "publickey");
	put_byte(&l->data, 1);
	put_text(&l->data, algorithm);
	put_string(&l->data, l->key.p, l->key.n);
}

static void
make(struct login *l)
{
	const uint8_t between[] = { 1, 0, 0, 0, 7 };
	uint8_t hash[32];

	crypto_hash_sha256(hash, (const uint8_t *)APPLICATION,
	    strlen(APPLICATION));
	put(&l->made, hash, sizeof(hash));
	put(&l->made, between, sizeof(between));
	crypto_hash_sha256(hash, l->data.p, l->data.n);
	put(&l->made, hash, sizeof(hash));
}

static void
sign(struct login *l, const struct kind *k)
{
	const struct bytes *what = k->authenticator ? &l->made : &l->data;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	l->sig.n = sizeof(l->sig.p);
	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, k->digest, NULL,
	    NULL, l->pair, NULL), 1);
	assert_int_equal(EVP_DigestSign(ctx, l->sig.p, &l->sig.n, what->p,
	    what->n), 1);
	EVP_MD_CTX_free(ctx);
	l->proof = (struct proof){ l->data.p, l->data.n, l->made.p,
	    l->made.n, l->sig.p, l->sig.n };
}

static struct login *
login_as(const struct kind *k, const char *name)
{
	struct login *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	generate(l, k);
	request(l, name, k->algorithm);
	if (k->authenticator)
		make(l);
	sign(l, k);
	return l;
}

static void
free_login(struct login *l)
{
	EVP_PKEY_free(l->pair);
	free(l);
}

static bool
holds(const struct login *l)
{
	struct proof_claim claim;
	const char *why = proof_check(&l->proof, &claim);

	assert_true((why == NULL) == (claim.key != NULL));
	free(claim.key);
	return why == NULL;
}

static void
every_kind_of_key(void **state)
{
	struct proof_claim claim;
	struct login *l;
	char *key;

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		l = login_as(&kinds[i], "alice:gw");
		if (proof_check(&l->proof, &claim) != NULL)
			fail_msg("%s: %s", kinds[i].algorithm,
			    proof_check(&l->proof, &claim));
		key = blob_encode(l->key.p, l->key.n);
		assert_string_equal(claim.name, "alice:gw");
		assert_string_equal(claim.key, key);
		assert_true(proof_is_request(l->data.p, l->data.n));
		free(key);
		free(claim.key);
		free_login(l);
	}
}

/* The signature is over every byte, so no other login has it. */
static void
one_bit_is_another_login(void **state)
{
	struct login *l;

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		l = login_as(&kinds[i], "alice");
		for (size_t at = 0; at < l->data.n; at++) {
			l->data.p[at] ^= 4;
			assert_false(holds(l));
			l->data.p[at] ^= 4;
		}
		for (size_t at = 0; at < l->made.n; at++) {
			l->made.p[at] ^= 4;
			assert_false(holds(l));
			l->made.p[at] ^= 4;
		}
		assert_true(holds(l));
		free_login(l);
	}
}

static void
cut_off_anywhere(void **state)
{
	struct login *l;

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		l = login_as(&kinds[i], "alice");
		for (size_t n = 0; n < l->data.n; n++) {
			l->proof.ndata = n;
			assert_false(holds(l));
		}
		l->proof.ndata = l->data.n;
		for (size_t n = 0; n < l->sig.n; n++) {
			l->proof.nsig = n;
			assert_false(holds(l));
		}
		l->proof.nsig = l->sig.n;
		for (size_t n = 0; n < l->made.n; n++) {
			l->proof.nmade = n;
			assert_false(holds(l));
		}
		free_login(l);
	}
}

static void
by_another_key(void **state)
{
	struct login *a = login_as(&kinds[0], "alice");
	struct login *b = login_as(&kinds[0], "alice");

	(void)state;
	a->proof.sig = b->sig.p;
	assert_false(holds(a));
	free_login(a);
	free_login(b);
}

/* Good for a server that asks for it, not for a login here. */
static void
of_another_application(void **state)
{
	struct login *l = calloc(1, sizeof(*l));
	uint8_t hash[32];

	(void)state;
	generate(l, &kinds[1]);
	request(l, "alice", kinds[1].algorithm);
	make(l);
	crypto_hash_sha256(hash, (const uint8_t *)"web:", 4);
	memcpy(l->made.p, hash, sizeof(hash));
	sign(l, &kinds[1]);
	assert_false(holds(l));
	free_login(l);
}

/* What the same key signed for something else (a file, git). */
static void
not_for_a_login(void **state)
{
	struct login *l = calloc(1, sizeof(*l));

	(void)state;
	generate(l, &kinds[0]);
	put(&l->data, "SSHSIG", 6);
	put_text(&l->data, "file");
	put_text(&l->data, "");
	put_text(&l->data, "sha512");
	put_text(&l->data, "0123456789");
	sign(l, &kinds[0]);
	assert_false(holds(l));
	assert_false(proof_is_request(l->data.p, l->data.n));
	free_login(l);
}

static void
sha1_is_not_known(void **state)
{
	const struct kind old = { "ssh-rsa", "ssh-rsa", NULL, "SHA1", false };
	struct login *l = login_as(&old, "alice");

	(void)state;
	assert_false(holds(l));
	free_login(l);
}

/* Names that no configuration can have. */
static void
strange_names(void **state)
{
	char longest[PROOF_NAME + 1];
	struct login *l;

	(void)state;
	memset(longest, 'a', PROOF_NAME);
	longest[PROOF_NAME] = '\0';
	l = login_as(&kinds[0], longest);
	assert_false(holds(l));
	free_login(l);
	longest[PROOF_NAME - 1] = '\0';
	l = login_as(&kinds[0], longest);
	assert_true(holds(l));
	free_login(l);
	l = calloc(1, sizeof(*l));
	generate(l, &kinds[0]);
	request(l, "al?ce", kinds[0].algorithm);
	*(uint8_t *)memchr(l->data.p + 36, '?', 30) = '\0';
	sign(l, &kinds[0]);
	assert_false(holds(l));
	free_login(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_key),
		cmocka_unit_test(one_bit_is_another_login),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(by_another_key),
		cmocka_unit_test(of_another_application),
		cmocka_unit_test(not_for_a_login),
		cmocka_unit_test(sha1_is_not_known),
		cmocka_unit_test(strange_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
