#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "sshsig.h"

#define BLOB_MAX 384
#define MAGIC "SSHSIG"
#define MAGIC_LEN 6
#define TYPE "ssh-ed25519"
#define HASH "sha512"
#define BASE64 sodium_base64_VARIANT_ORIGINAL

struct blob {
	uint8_t p[BLOB_MAX];
	size_t n, at;
	int bad;
};

static void
put(struct blob *b, const void *p, size_t n)
{
	if (n > BLOB_MAX - b->n) {
		b->bad = 1;
		return;
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void
put_u32(struct blob *b, uint32_t v)
{
	const uint8_t p[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
	    (uint8_t)(v >> 8), (uint8_t)v };

	put(b, p, sizeof(p));
}

static void
put_string(struct blob *b, const void *p, size_t n)
{
	put_u32(b, (uint32_t)n);
	put(b, p, n);
}

static uint32_t
get_u32(struct blob *b)
{
	const uint8_t *p = b->p + b->at;

	if (b->n - b->at < 4) {
		b->bad = 1;
		return 0;
	}
	b->at += 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/* NULL when it is not there whole. */
static const uint8_t *
get_string(struct blob *b, size_t *n)
{
	const uint8_t *p;

	*n = get_u32(b);
	if (b->bad || *n > b->n - b->at) {
		b->bad = 1;
		return NULL;
	}
	p = b->p + b->at;
	b->at += *n;
	return p;
}

static void
expect(struct blob *b, const char *text)
{
	size_t n;
	const uint8_t *p = get_string(b, &n);

	if (p == NULL || n != strlen(text) || memcmp(p, text, n) != 0)
		b->bad = 1;
}

void
sshsig_generate(uint8_t seed[SSHSIG_SEED])
{
	if (sodium_init() == -1)
		memset(seed, 0, SSHSIG_SEED);	/* it cannot; see its manual */
	randombytes_buf(seed, SSHSIG_SEED);
}

void
sshsig_public(const uint8_t seed[SSHSIG_SEED], uint8_t public[SSHSIG_PUBLIC])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(public, secret, seed);
	sodium_memzero(secret, sizeof(secret));
}

static void
put_key(struct blob *b, const uint8_t public[SSHSIG_PUBLIC])
{
	put_string(b, TYPE, strlen(TYPE));
	put_string(b, public, SSHSIG_PUBLIC);
}

void
sshsig_key_text(const uint8_t public[SSHSIG_PUBLIC], char dst[SSHSIG_KEY])
{
	struct blob b = { .n = 0 };
	char text[SSHSIG_KEY];

	put_key(&b, public);
	sodium_bin2base64(text, sizeof(text), b.p, b.n, BASE64);
	snprintf(dst, SSHSIG_KEY, TYPE " %.80s", text);
}

/* A blob that holds a key and nothing else. */
static int
get_key(struct blob *b, uint8_t public[SSHSIG_PUBLIC])
{
	const uint8_t *p;
	size_t n;

	expect(b, TYPE);
	p = get_string(b, &n);
	if (b->bad || n != SSHSIG_PUBLIC || b->at != b->n)
		return -1;
	memcpy(public, p, n);
	return 0;
}

static int
from_base64(struct blob *b, const char *text, size_t n)
{
	const char *end;

	memset(b, 0, sizeof(*b));
	return sodium_base642bin(b->p, sizeof(b->p), text, n, NULL, &b->n,
	    &end, BASE64) == 0 && end == text + n ? 0 : -1;
}

int
sshsig_key_parse(const char *text, uint8_t public[SSHSIG_PUBLIC])
{
	const char *p = text;
	struct blob b;

	while ((p = strstr(p, TYPE " ")) != NULL) {
		p += strlen(TYPE) + 1;
		if (from_base64(&b, p, strcspn(p, " \t\r\n")) == 0 &&
		    get_key(&b, public) == 0)
			return 0;
	}
	return -1;
}

void
sshsig_print(const uint8_t public[SSHSIG_PUBLIC], char dst[SSHSIG_PRINT])
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	struct blob b = { .n = 0 };

	put_key(&b, public);
	crypto_hash_sha256(hash, b.p, b.n);
	memcpy(dst, "SHA256:", 7);
	sodium_bin2base64(dst + 7, SSHSIG_PRINT - 7, hash, sizeof(hash),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

/* What the signature is of. */
static void
put_signed(struct blob *b, const char *space, const void *message, size_t n)
{
	uint8_t hash[crypto_hash_sha512_BYTES];

	crypto_hash_sha512(hash, message, n);
	put(b, MAGIC, MAGIC_LEN);
	put_string(b, space, strlen(space));
	put_string(b, "", 0);
	put_string(b, HASH, strlen(HASH));
	put_string(b, hash, sizeof(hash));
}

void
sshsig_sign(const uint8_t seed[SSHSIG_SEED], const char *space,
    const void *message, size_t n, char dst[SSHSIG_TEXT])
{
	uint8_t public[SSHSIG_PUBLIC], secret[crypto_sign_SECRETKEYBYTES];
	uint8_t sig[crypto_sign_BYTES];
	struct blob of = { .n = 0 }, key = { .n = 0 }, inner = { .n = 0 };
	struct blob out = { .n = 0 };

	put_signed(&of, space, message, n);
	crypto_sign_seed_keypair(public, secret, seed);
	crypto_sign_detached(sig, NULL, of.p, of.n, secret);
	sodium_memzero(secret, sizeof(secret));
	put_key(&key, public);
	put_string(&inner, TYPE, strlen(TYPE));
	put_string(&inner, sig, sizeof(sig));
	put(&out, MAGIC, MAGIC_LEN);
	put_u32(&out, 1);
	put_string(&out, key.p, key.n);
	put_string(&out, space, strlen(space));
	put_string(&out, "", 0);
	put_string(&out, HASH, strlen(HASH));
	put_string(&out, inner.p, inner.n);
	sodium_bin2base64(dst, SSHSIG_TEXT, out.p, out.n, BASE64);
}

/* Take the file's blob apart.  0 or -1. */
static int
parse(struct blob *in, const char *space, uint8_t public[SSHSIG_PUBLIC],
    uint8_t sig[crypto_sign_BYTES])
{
	struct blob key = { .n = 0 }, inner = { .n = 0 };
	const uint8_t *p;
	size_t n;

	if (in->n < MAGIC_LEN || memcmp(in->p, MAGIC, MAGIC_LEN) != 0)
		return -1;
	in->at = MAGIC_LEN;
	if (get_u32(in) != 1)
		return -1;
	p = get_string(in, &n);
	if (p != NULL)
		put(&key, p, n);
	expect(in, space);
	expect(in, "");
	expect(in, HASH);
	p = get_string(in, &n);
	if (p != NULL)
		put(&inner, p, n);
	if (in->bad || in->at != in->n || get_key(&key, public) == -1)
		return -1;
	expect(&inner, TYPE);
	p = get_string(&inner, &n);
	if (inner.bad || inner.at != inner.n || n != crypto_sign_BYTES)
		return -1;
	memcpy(sig, p, n);
	return 0;
}

int
sshsig_verify(const char *text, const char *space, const void *message,
    size_t n, uint8_t public[SSHSIG_PUBLIC])
{
	uint8_t sig[crypto_sign_BYTES];
	struct blob in, of = { .n = 0 };

	if (from_base64(&in, text, strlen(text)) == -1 ||
	    parse(&in, space, public, sig) == -1)
		return -1;
	put_signed(&of, space, message, n);
	return crypto_sign_verify_detached(sig, of.p, of.n, public);
}
