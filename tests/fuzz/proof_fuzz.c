/*
 * What a login signs: no crash; what holds has a key and a name.  Signature,
 * what an authenticator made (two bytes of length each), and the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Its own memory, so that a byte too far is seen. */
static uint8_t *
part(const uint8_t **p, size_t *left, size_t *n)
{
	uint8_t *copy;

	*n = *left < 2 ? 0 : (size_t)(*p)[0] << 8 | (*p)[1];
	*p += *left < 2 ? *left : 2;
	*left -= *left < 2 ? *left : 2;
	if (*n > *left)
		*n = *left;
	copy = malloc(*n + 1);
	if (copy == NULL)
		abort();
	memcpy(copy, *p, *n);
	*p += *n;
	*left -= *n;
	return copy;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct proof_claim claim;
	struct proof proof;
	uint8_t *sig = part(&p, &n, &proof.nsig);
	uint8_t *made = part(&p, &n, &proof.nmade);
	const char *why;

	proof.sig = sig;
	proof.made = made;
	proof.data = p;
	proof.ndata = n;
	why = proof_check(&proof, &claim);
	if ((why == NULL) != (claim.key != NULL))
		abort();
	if (why == NULL && (!proof_is_request(p, n) ||
	    strlen(claim.name) >= sizeof(claim.name)))
		abort();
	free(claim.key);
	free(sig);
	free(made);
	return 0;
}
