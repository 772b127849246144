/*
 * proof: that somebody has the private key of a login (RFC 4252 section 7),
 * checked once more by who does not believe the process that talked to him.
 * Pure.
 *
 * What is signed names the session, the login name and the key, so it holds
 * for this login of this user alone.  Types of keys are those of keys.h, and
 * certificates for them, of which only the key is looked at here (cert.h).
 *
 * Security keys (PROTOCOL.u2f) sign a digest of it, with what the
 * authenticator adds.
 */
#ifndef AUTH_PROOF_H
#define AUTH_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROOF_MAX 16384		/* bytes of each part */
#define PROOF_NAME 128		/* longest login name, with NUL */

struct proof {
	const uint8_t *data;	/* what the login request is signed over */
	size_t ndata;
	const uint8_t *made;	/* what the authenticator signed for it, */
	size_t nmade;		/* ... 0: there is none */
	const uint8_t *sig;	/* as OpenSSL has it: of ECDSA in DER */
	size_t nsig;
};

/* What is proven. */
struct proof_claim {
	char name[PROOF_NAME];	/* the login name */
	char *key;		/* base64 of the key or certificate: to be
				   freed by the caller */
};

/* So that proof_check opens no file any more. */
void proof_prepare(void);

/* Do these bytes look like what a login request is signed over? */
bool proof_is_request(const void *, size_t n);

/* NULL and *claim filled, or why not, a constant; then there is no key. */
const char *proof_check(const struct proof *, struct proof_claim *claim);

#endif
