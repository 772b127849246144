/*
 * A FIDO token in software, for OpenSSH's middleware interface (sk-api.h of
 * OpenSSH 8.9 and later): ed25519 only.
 * The secret key is the handle, so the "token" itself keeps nothing.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define SK_VERSION_MAJOR 0x000a0000
#define SK_ED25519 1
#define SK_ERR_GENERAL (-1)
#define SK_ERR_UNSUPPORTED (-2)

struct sk_option;
struct sk_resident_key;

struct sk_enroll_response {
	uint8_t flags;
	uint8_t *public_key;
	size_t public_key_len;
	uint8_t *key_handle;
	size_t key_handle_len;
	uint8_t *signature;
	size_t signature_len;
	uint8_t *attestation_cert;
	size_t attestation_cert_len;
	uint8_t *authdata;
	size_t authdata_len;
};

struct sk_sign_response {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r;
	size_t sig_r_len;
	uint8_t *sig_s;
	size_t sig_s_len;
};

uint32_t sk_api_version(void);
int sk_enroll(uint32_t, const uint8_t *, size_t, const char *, uint8_t,
    const char *, struct sk_option **, struct sk_enroll_response **);
int sk_sign(uint32_t, const uint8_t *, size_t, const char *, const uint8_t *,
    size_t, uint8_t, const char *, struct sk_option **,
    struct sk_sign_response **);
int sk_load_resident_keys(const char *, struct sk_option **,
    struct sk_resident_key ***, size_t *);

uint32_t
sk_api_version(void)
{
	return SK_VERSION_MAJOR;
}

int
sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len,
    const char *application, uint8_t flags, const char *pin,
    struct sk_option **options, struct sk_enroll_response **response)
{
	struct sk_enroll_response *r;

	(void)challenge, (void)challenge_len, (void)application;
	(void)pin, (void)options;
	if (alg != SK_ED25519)
		return SK_ERR_UNSUPPORTED;
	r = calloc(1, sizeof(*r));
	if (r == NULL || sodium_init() == -1)
		return SK_ERR_GENERAL;
	r->flags = flags;
	r->public_key_len = crypto_sign_PUBLICKEYBYTES;
	r->public_key = malloc(r->public_key_len);
	r->key_handle_len = crypto_sign_SECRETKEYBYTES;
	r->key_handle = malloc(r->key_handle_len);
	crypto_sign_keypair(r->public_key, r->key_handle);
	/* What a real token attests; nobody looks. */
	r->signature = calloc(1, 64);
	r->signature_len = 64;
	*response = r;
	return 0;
}

/* CTAP2: SHA-256 of the application, flags, counter, SHA-256 of the data. */
int
sk_sign(uint32_t alg, const uint8_t *data, size_t data_len,
    const char *application, const uint8_t *handle, size_t handle_len,
    uint8_t flags, const char *pin, struct sk_option **options,
    struct sk_sign_response **response)
{
	uint8_t signed_[32 + 1 + 4 + 32] = { 0 };
	struct sk_sign_response *r;

	(void)pin, (void)options;
	if (alg != SK_ED25519 || handle_len != crypto_sign_SECRETKEYBYTES)
		return SK_ERR_UNSUPPORTED;
	r = calloc(1, sizeof(*r));
	if (r == NULL || sodium_init() == -1)
		return SK_ERR_GENERAL;
	r->flags = flags;
	r->counter = 0x01020304;
	crypto_hash_sha256(signed_, (const uint8_t *)application,
	    strlen(application));
	signed_[32] = r->flags;
	for (int i = 0; i < 4; i++)
		signed_[33 + i] = (uint8_t)(r->counter >> (24 - 8 * i));
	crypto_hash_sha256(signed_ + 37, data, data_len);
	r->sig_r_len = crypto_sign_BYTES;
	r->sig_r = malloc(r->sig_r_len);
	crypto_sign_detached(r->sig_r, NULL, signed_, sizeof(signed_), handle);
	*response = r;
	return 0;
}

int
sk_load_resident_keys(const char *pin, struct sk_option **options,
    struct sk_resident_key ***keys, size_t *n)
{
	(void)pin, (void)options, (void)keys, (void)n;
	return SK_ERR_UNSUPPORTED;
}
