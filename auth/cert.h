/*
 * cert: OpenSSH user certificates (PROTOCOL.certkeys), version 01.  Pure.
 *
 * The SSH library checks that the client holds the key; everything that the
 * authority says is checked here.  Authorities are ssh-ed25519 keys.
 */
#ifndef AUTH_CERT_H
#define AUTH_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cert;

#define CERT_TEXT 64

/* Does this blob (base64) say that it is a certificate? */
bool cert_is(const char *base64);

/*
 * Read one, and check its signature.  NULL with *why, a constant, when it is
 * not a whole user certificate that its authority signed.  The caller frees.
 */
struct cert *cert_parse(const char *base64, const char **why);
void cert_free(struct cert *);		/* NULL is fine */

/* base64 of the key that it is for, and of the one that signed. */
const char *cert_key(const struct cert *);
const char *cert_authority(const struct cert *);

uint64_t cert_serial(const struct cert *);
/* Made safe to show; of a long one the beginning. */
const char *cert_id(const struct cert *);
/* The identifier as it stands there: is it this? */
bool cert_id_is(const struct cert *, const char *);

/* Is this name among its principals?  One without any is nobody's. */
bool cert_names(const struct cert *, const char *principal);

/* NULL, or why not at this time; seconds since the epoch. */
const char *cert_valid(const struct cert *, int64_t now);

/*
 * NULL, or why its critical options forbid it from this address (numeric
 * text; anything else satisfies no source-address).  One that is not known
 * forbids it.
 */
const char *cert_allows(const struct cert *, const char *address);

/* "certificate alice@laptop (serial 7)".  Returns dst. */
char *cert_text(char dst[CERT_TEXT], const struct cert *);

#endif
