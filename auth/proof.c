#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "../server/base/mem.h"
#include "blob.h"
#include "cert.h"
#include "proof.h"

#define USERAUTH_REQUEST 50	/* RFC 4250 4.1.2 */
#define SESSION_ID_MAX 64	/* bytes of a digest */
#define APPLICATION_MAX 256
#define MADE (crypto_hash_sha256_BYTES * 2 + 5)

/* A public key of this kind, from the fields behind its type; or NULL. */
typedef EVP_PKEY *load_fn(struct blob *, const char *curve);

static load_fn load_ed25519, load_ecdsa, load_rsa;

static const struct kind {
	const char *type;
	load_fn *load;
	const char *curve;
	const char *digest;	/* NULL: that of the algorithm, or none */
	bool authenticator;
} kinds[] = {
	{ "ssh-ed25519", load_ed25519, NULL, NULL, false },
	{ "sk-ssh-ed25519@openssh.com", load_ed25519, NULL, NULL, true },
	{ "ecdsa-sha2-nistp256", load_ecdsa, "nistp256", "SHA256", false },
	{ "ecdsa-sha2-nistp384", load_ecdsa, "nistp384", "SHA384", false },
	{ "ecdsa-sha2-nistp521", load_ecdsa, "nistp521", "SHA512", false },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", load_ecdsa, "nistp256",
	    "SHA256", true },
	{ "ssh-rsa", load_rsa, NULL, NULL, false },
};

/* RFC 8332 3; SHA-1 is not among them. */
static const struct {
	const char *algorithm, *digest;
} rsa_digests[] = {
	{ "rsa-sha2-256", "SHA256" },
	{ "rsa-sha2-512", "SHA512" },
	{ "rsa-sha2-256-cert-v01@openssh.com", "SHA256" },
	{ "rsa-sha2-512-cert-v01@openssh.com", "SHA512" },
};

/* The fields of a request. */
struct request {
	const uint8_t *name, *algorithm, *key;
	size_t nname, nalgorithm, nkey;
};

static bool
take_byte(struct blob *b, uint8_t want)
{
	if (b->p == b->end || *b->p != want)
		return false;
	b->p++;
	return true;
}

static bool
parse(const uint8_t *p, size_t n, struct request *r)
{
	struct blob b = { p, p + n };
	size_t nid;

	return blob_take(&b, &nid) != NULL && nid > 0 &&
	    nid <= SESSION_ID_MAX && take_byte(&b, USERAUTH_REQUEST) &&
	    (r->name = blob_take(&b, &r->nname)) != NULL &&
	    blob_take_is(&b, "ssh-connection") &&
	    blob_take_is(&b, "publickey") && take_byte(&b, 1) &&
	    (r->algorithm = blob_take(&b, &r->nalgorithm)) != NULL &&
	    (r->key = blob_take(&b, &r->nkey)) != NULL && b.p == b.end;
}

void
proof_prepare(void)
{
	/* OpenSSL reads its configuration with the first thing it does. */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].digest != NULL)
			EVP_MD_free(EVP_MD_fetch(NULL, kinds[i].digest, NULL));
	}
}

bool
proof_is_request(const void *p, size_t n)
{
	struct request r;

	return n <= PROOF_MAX && parse(p, n, &r);
}

static EVP_PKEY *
load_ed25519(struct blob *b, const char *curve)
{
	size_t n;
	const uint8_t *p = blob_take(b, &n);

	(void)curve;
	return p == NULL ? NULL : EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, p, n);
}

/* Takes build over. */
static EVP_PKEY *
from_parts(const char *name, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || ctx == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return key;
}

/* RFC 5656 3.1 */
static EVP_PKEY *
load_ecdsa(struct blob *b, const char *curve)
{
	static const char *const names[][2] = {
		{ "nistp256", "P-256" }, { "nistp384", "P-384" },
		{ "nistp521", "P-521" },
	};
	OSSL_PARAM_BLD *build;
	const uint8_t *point;
	const char *group = NULL;
	size_t n;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i][0], curve) == 0)
			group = names[i][1];
	}
	if (!blob_take_is(b, curve) || (point = blob_take(b, &n)) == NULL ||
	    (build = OSSL_PARAM_BLD_new()) == NULL)
		return NULL;
	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
	    group, 0);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
	    point, n);
	return from_parts("EC", build);
}

/* RFC 4253 6.6: e, n. */
static EVP_PKEY *
load_rsa(struct blob *b, const char *curve)
{
	OSSL_PARAM_BLD *build;
	EVP_PKEY *key = NULL;
	const uint8_t *pe, *pn;
	BIGNUM *e, *n;
	size_t ne, nn;

	(void)curve;
	if ((pe = blob_take(b, &ne)) == NULL ||
	    (pn = blob_take(b, &nn)) == NULL)
		return NULL;
	e = BN_bin2bn(pe, (int)ne, NULL);
	n = BN_bin2bn(pn, (int)nn, NULL);
	build = OSSL_PARAM_BLD_new();
	if (e != NULL && n != NULL && build != NULL) {
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
		key = from_parts("RSA", build);
		build = NULL;
	}
	OSSL_PARAM_BLD_free(build);
	BN_free(e);
	BN_free(n);
	return key;
}

static const struct kind *
kind_of(struct blob *key)
{
	size_t n;
	const uint8_t *type = blob_take(key, &n);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (type != NULL && strlen(kinds[i].type) == n &&
		    memcmp(kinds[i].type, type, n) == 0)
			return &kinds[i];
	}
	return NULL;
}

static const char *
digest_of(const struct kind *kind, const struct request *r)
{
	if (kind->load != load_rsa)
		return kind->digest;
	for (size_t i = 0; i < sizeof(rsa_digests) / sizeof(rsa_digests[0]);
	    i++) {
		if (strlen(rsa_digests[i].algorithm) == r->nalgorithm &&
		    memcmp(rsa_digests[i].algorithm, r->algorithm,
		    r->nalgorithm) == 0)
			return rsa_digests[i].digest;
	}
	return NULL;
}

/*
 * An authenticator signs the digest of the application, a byte of flags, a
 * counter, and the digest of what it was given.
 */
static const char *
check_made(const struct proof *p, struct blob *key)
{
	const size_t half = crypto_hash_sha256_BYTES;
	uint8_t hash[crypto_hash_sha256_BYTES];
	const uint8_t *application;
	size_t n;

	application = blob_take(key, &n);
	if (application == NULL || n > APPLICATION_MAX || p->nmade != MADE)
		return "not what an authenticator signs";
	crypto_hash_sha256(hash, application, n);
	if (memcmp(hash, p->made, half) != 0)
		return "signed for another application";
	crypto_hash_sha256(hash, p->data, p->ndata);
	if (memcmp(hash, p->made + MADE - half, half) != 0)
		return "the authenticator signed something else";
	return NULL;
}

static bool
verify(const struct proof *p, EVP_PKEY *key, const char *digest, bool made)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestVerifyInit_ex(ctx, NULL, digest,
	    NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestVerify(ctx, p->sig, p->nsig, made ? p->made : p->data,
	    made ? p->nmade : p->ndata) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

static const char *
check_key(const struct proof *p, const struct request *r, struct blob key)
{
	const struct kind *kind = kind_of(&key);
	const char *digest, *why = NULL;
	EVP_PKEY *public;

	if (kind == NULL)
		return "a key of an unknown type";
	digest = digest_of(kind, r);
	if (kind->load == load_rsa && digest == NULL)
		return "an algorithm that is not known for this key";
	public = kind->load(&key, kind->curve);
	if (public == NULL)
		return "a key that is none";
	if (kind->authenticator)
		why = check_made(p, &key);
	if (why == NULL && !verify(p, public, digest, kind->authenticator))
		why = "a wrong signature";
	EVP_PKEY_free(public);
	return why;
}

/* The key itself, of a certificate, too.  NULL: it is neither. */
static uint8_t *
plain_key(const char *base64, size_t *n)
{
	struct cert *cert;
	const char *why;
	uint8_t *plain;

	if (!cert_is(base64))
		return blob_decode(base64, n);
	cert = cert_parse(base64, &why);
	if (cert == NULL)
		return NULL;
	plain = blob_decode(cert_key(cert), n);
	cert_free(cert);
	return plain;
}

const char *
proof_check(const struct proof *p, struct proof_claim *claim)
{
	struct request r;
	const char *why = "a certificate that is none";
	uint8_t *plain;
	size_t n;

	memset(claim, 0, sizeof(*claim));
	if (!parse(p->data, p->ndata, &r))
		return "not what a login signs";
	if (r.nname >= sizeof(claim->name) ||
	    memchr(r.name, '\0', r.nname) != NULL)
		return "a login name that nobody has";
	claim->key = blob_encode(r.key, r.nkey);
	plain = plain_key(claim->key, &n);
	if (plain != NULL)
		why = check_key(p, &r, (struct blob){ plain, plain + n });
	free(plain);
	if (why == NULL) {
		memcpy(claim->name, r.name, r.nname);
		return NULL;
	}
	free(claim->key);
	claim->key = NULL;
	return why;
}
