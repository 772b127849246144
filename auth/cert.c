#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "addr.h"
#include "blob.h"
#include "cert.h"
#include "keys_blob.h"

#define SUFFIX "-cert-v01@openssh.com"
#define TYPE_MAX 64
#define USER 1			/* of its types; 2 is a host's */
#define ADDRESSES_MAX 1024	/* bytes of source-address */

struct cert {
	uint8_t *blob;
	char *key, *authority;		/* base64 */
	uint64_t serial, after, before;
	struct blob raw_id, principals, options;
	char id[80];
};

/* The type of the plain key.  False: it is no certificate. */
static bool
plain_type(struct blob *b, char type[TYPE_MAX])
{
	const size_t tail = sizeof(SUFFIX) - 1;
	size_t n;
	const uint8_t *p = blob_take(b, &n);

	if (p == NULL || n <= tail || n - tail >= TYPE_MAX ||
	    memcmp(p + n - tail, SUFFIX, tail) != 0)
		return false;
	/* "sk-...@openssh.com" has its domain once in a certificate's name. */
	snprintf(type, TYPE_MAX, "%.*s%s", (int)(n - tail), (const char *)p,
	    strncmp((const char *)p, "sk-", 3) == 0 ? "@openssh.com" : "");
	return true;
}

bool
cert_is(const char *base64)
{
	struct blob b;
	char type[TYPE_MAX];
	size_t n;
	uint8_t *blob = blob_decode(base64, &n);
	bool is;

	if (blob == NULL)
		return false;
	b = (struct blob){ blob, blob + n };
	is = plain_type(&b, type);
	free(blob);
	return is;
}

static uint8_t *
put_string(uint8_t *at, const void *p, size_t n)
{
	*at++ = (uint8_t)(n >> 24);
	*at++ = (uint8_t)(n >> 16);
	*at++ = (uint8_t)(n >> 8);
	*at++ = (uint8_t)n;
	memcpy(at, p, n);
	return at + n;
}

/* The key's own fields, as they stand behind the type of a plain key too. */
static const char *
read_key(struct cert *c, struct blob *b, const char *type)
{
	const uint8_t *begin = b->p;
	unsigned fields = keys_blob_fields(type);
	uint8_t *plain, *end;
	const char *why;
	size_t n;

	if (fields == 0)
		return "a certificate for a key of an unknown type";
	for (unsigned i = 0; i < fields; i++) {
		if (blob_take(b, &n) == NULL)
			return "a certificate that is cut off";
	}
	plain = xmalloc(4 + strlen(type) + (size_t)(b->p - begin));
	end = put_string(plain, type, strlen(type));
	memcpy(end, begin, (size_t)(b->p - begin));
	n = (size_t)(end - plain) + (size_t)(b->p - begin);
	why = keys_blob_check(type, plain, n);
	c->key = blob_encode(plain, n);
	free(plain);
	return why == NULL ? NULL : "a certificate for a key that is no good";
}

/* An ssh-ed25519 signature over all before it (RFC 8709). */
static const char *
check_signature(struct cert *c, struct blob *b, const uint8_t *begin)
{
	struct blob authority, signature;
	const uint8_t *key, *sig, *end, *whole;
	size_t n, nkey, nsig;

	whole = b->p;
	if (blob_take(b, &n) == NULL)
		return "a certificate that is cut off";
	c->authority = blob_encode(whole + 4, n);
	authority = (struct blob){ whole + 4, whole + 4 + n };
	end = b->p;
	if (!blob_open(b, &signature) || b->p != b->end)
		return "a certificate that is cut off or too long";
	if (!blob_take_is(&authority, "ssh-ed25519") ||
	    (key = blob_take(&authority, &nkey)) == NULL ||
	    nkey != crypto_sign_PUBLICKEYBYTES ||
	    authority.p != authority.end)
		return "its authority is no ssh-ed25519 key";
	if (!blob_take_is(&signature, "ssh-ed25519") ||
	    (sig = blob_take(&signature, &nsig)) == NULL ||
	    nsig != crypto_sign_BYTES || signature.p != signature.end ||
	    crypto_sign_verify_detached(sig, begin,
	    (unsigned long long)(end - begin), key) != 0)
		return "a certificate with a wrong signature";
	return NULL;
}

static const char *
read_all(struct cert *c, size_t n)
{
	struct blob b = { c->blob, c->blob + n }, skipped;
	char type[TYPE_MAX];
	uint32_t kind;
	const char *why;
	size_t len;

	if (!plain_type(&b, type))
		return "no certificate";
	if (blob_take(&b, &len) == NULL)	/* nonce */
		return "a certificate that is cut off";
	why = read_key(c, &b, type);
	if (why != NULL)
		return why;
	if (!blob_u64(&b, &c->serial) || !blob_u32(&b, &kind) ||
	    !blob_open(&b, &c->raw_id) || !blob_open(&b, &c->principals) ||
	    !blob_u64(&b, &c->after) || !blob_u64(&b, &c->before) ||
	    !blob_open(&b, &c->options) || !blob_open(&b, &skipped) ||
	    !blob_open(&b, &skipped))	/* extensions, reserved */
		return "a certificate that is cut off";
	if (kind != USER)
		return "no user's certificate";
	str_safe(c->id, sizeof(c->id), (const char *)c->raw_id.p,
	    (size_t)(c->raw_id.end - c->raw_id.p));
	return check_signature(c, &b, c->blob);
}

struct cert *
cert_parse(const char *base64, const char **why)
{
	struct cert *c = xcalloc(1, sizeof(*c));
	size_t n;

	c->blob = blob_decode(base64, &n);
	*why = c->blob == NULL ? "no certificate" : read_all(c, n);
	if (*why == NULL)
		return c;
	cert_free(c);
	return NULL;
}

void
cert_free(struct cert *c)
{
	if (c == NULL)
		return;
	free(c->blob);
	free(c->key);
	free(c->authority);
	free(c);
}

const char *
cert_key(const struct cert *c)
{
	return c->key;
}

const char *
cert_authority(const struct cert *c)
{
	return c->authority;
}

uint64_t
cert_serial(const struct cert *c)
{
	return c->serial;
}

const char *
cert_id(const struct cert *c)
{
	return c->id;
}

bool
cert_id_is(const struct cert *c, const char *id)
{
	size_t n = (size_t)(c->raw_id.end - c->raw_id.p);

	return n == strlen(id) && memcmp(c->raw_id.p, id, n) == 0;
}

bool
cert_names(const struct cert *c, const char *principal)
{
	struct blob b = c->principals;
	const uint8_t *p;
	size_t n;

	while ((p = blob_take(&b, &n)) != NULL) {
		if (n == strlen(principal) && memcmp(p, principal, n) == 0)
			return true;
	}
	return false;
}

const char *
cert_valid(const struct cert *c, int64_t now)
{
	if (now < 0 || (uint64_t)now < c->after)
		return "a certificate that is not valid yet";
	if ((uint64_t)now >= c->before)
		return "a certificate that has expired";
	return NULL;
}

/* Of a comma-separated list of addresses and networks. */
static bool
source_matches(const struct blob *list, const char *address)
{
	char copy[ADDRESSES_MAX], *rest = copy, *one;
	size_t n = (size_t)(list->end - list->p);
	struct addr a, net, masked;
	unsigned bits;

	if (n >= sizeof(copy) || address == NULL ||
	    addr_parse(address, &a) == -1)
		return false;
	memcpy(copy, list->p, n);
	copy[n] = '\0';
	while ((one = strsep(&rest, ",")) != NULL) {
		if (addr_parse_network(one, &net, &bits) == -1)
			return false;
		masked = a;
		addr_mask(&masked, bits);
		if (addr_equal(&net, &masked))
			return true;
	}
	return false;
}

const char *
cert_allows(const struct cert *c, const char *address)
{
	struct blob b = c->options, value, list;
	const uint8_t *name;
	size_t n;

	while (b.p != b.end) {
		name = blob_take(&b, &n);
		if (name == NULL || !blob_open(&b, &value))
			return "a certificate with broken options";
		if (n != strlen("source-address") ||
		    memcmp(name, "source-address", n) != 0)
			return "a certificate with a critical option that is "
			    "not known here";
		if (!blob_open(&value, &list) || value.p != value.end)
			return "a certificate with broken options";
		if (!source_matches(&list, address))
			return "a certificate that may not be used from this "
			    "address";
	}
	return NULL;
}

char *
cert_text(char dst[CERT_TEXT], const struct cert *c)
{
	snprintf(dst, CERT_TEXT, "certificate %.20s (serial %" PRIu64 ")",
	    c->id, c->serial);
	return dst;
}
