#include <string.h>

#include "blob.h"
#include "keys.h"
#include "keys_blob.h"

#define TO_NEW "make a new one: ssh-keygen -t ed25519"

struct type {
	const char *name;
	const char *curve;	/* ECDSA only */
	size_t point;		/* bytes of the public point or key */
	bool application;	/* security key: a string follows */
	bool rsa;
};

static const struct type types[] = {
	{ "ssh-ed25519", NULL, 32, false, false },
	{ "sk-ssh-ed25519@openssh.com", NULL, 32, true, false },
	{ "ecdsa-sha2-nistp256", "nistp256", 65, false, false },
	{ "ecdsa-sha2-nistp384", "nistp384", 97, false, false },
	{ "ecdsa-sha2-nistp521", "nistp521", 133, false, false },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 65, true, false },
	{ "ssh-rsa", NULL, 0, false, true },
};

static const struct {
	const char *name, *why;
} refused[] = {
	{ "ssh-dss", "DSA keys are too weak; " TO_NEW },
	{ "rsa-sha2-256", "this names a signature; the key type is ssh-rsa" },
	{ "rsa-sha2-512", "this names a signature; the key type is ssh-rsa" },
	{ "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
	    "this names a signature; the key type is "
	    "sk-ecdsa-sha2-nistp256@openssh.com" },
};

static const char cert[] = "-cert-v01@openssh.com";

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct type *
find_type(const char *name, size_t n)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		if (strlen(types[i].name) == n &&
		    memcmp(types[i].name, name, n) == 0)
			return &types[i];
	}
	return NULL;
}

static bool
is_cert(const char *name, size_t n)
{
	size_t tail = sizeof(cert) - 1;

	return n > tail && memcmp(name + n - tail, cert, tail) == 0;
}

static const char *
find_refused(const char *name, size_t n)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		if (strlen(refused[i].name) == n &&
		    memcmp(refused[i].name, name, n) == 0)
			return refused[i].why;
	}
	if (is_cert(name, n))
		return "this is a certificate; list the plain public "
		    "key, or cert-authority and the authority's";
	return NULL;
}

bool
keys_blob_is_type(const char *name, size_t n)
{
	return find_type(name, n) != NULL || find_refused(name, n) != NULL;
}

const char *
keys_blob_refused(const char *type)
{
	size_t n = strlen(type);
	const char *why = find_refused(type, n);

	if (why != NULL || find_type(type, n) != NULL)
		return why;
	return "this type is not known; " TO_NEW;
}

/* A positive mpint in its shortest form: its bits, 0 when it is not one. */
static size_t
take_mpint(struct blob *c, bool *odd)
{
	size_t n, bits;
	const uint8_t *p = blob_take(c, &n);

	if (p == NULL || n == 0 || (p[0] & 0x80))
		return 0;
	*odd = p[n - 1] & 1;
	if (p[0] == 0) {
		if (n == 1 || !(p[1] & 0x80))
			return 0;
		p++;
		n--;
	}
	bits = n * 8;
	for (uint8_t top = p[0]; !(top & 0x80); top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

static const char *
check_rsa(struct blob *c)
{
	bool odd;
	size_t bits = take_mpint(c, &odd);

	if (bits < 2 || !odd)
		return "its exponent is not valid";
	bits = take_mpint(c, &odd);
	if (bits == 0 || !odd)
		return "its modulus is not valid";
	if (bits < KEY_RSA_MIN)
		return "RSA keys need 3072 bits or more; " TO_NEW;
	if (bits > KEY_RSA_MAX)
		return "RSA keys of more than 16384 bits are not accepted";
	return NULL;
}

static const char *
check_point(const struct type *t, struct blob *c)
{
	const uint8_t *p;
	size_t n;

	if (t->curve != NULL && !blob_take_is(c, t->curve))
		return "it names another curve than its type";
	p = blob_take(c, &n);
	if (p == NULL || n != t->point || (t->curve != NULL && p[0] != 4))
		return "its public part has the wrong length or form";
	return NULL;
}

const char *
keys_blob_check(const char *type, const uint8_t *blob, size_t n)
{
	const struct type *t = find_type(type, strlen(type));
	struct blob c = { blob, blob + n };
	const char *why;
	size_t len;

	if (t == NULL || !blob_take_is(&c, type))
		return "what is encoded is of another type than it says";
	why = t->rsa ? check_rsa(&c) : check_point(t, &c);
	if (why != NULL)
		return why;
	if (t->application && (blob_take(&c, &len) == NULL || len == 0))
		return "the application of the security key is missing";
	return c.p == c.end ? NULL : "something follows after the key";
}

unsigned
keys_blob_fields(const char *type)
{
	const struct type *t = find_type(type, strlen(type));

	if (t == NULL)
		return 0;
	return t->rsa ? 2 : 1u + (t->curve != NULL) + t->application;
}
