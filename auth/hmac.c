#include <assert.h>
#include <sodium.h>

#include "hmac.h"

static_assert(crypto_auth_hmacsha256_BYTES == HMAC_LEN, "SHA-256");

void
hmac(uint8_t out[HMAC_LEN], const void *key, size_t nkey,
    const struct digest_piece *pieces, size_t n)
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, nkey);
	for (size_t i = 0; i < n; i++)
		crypto_auth_hmacsha256_update(&state, pieces[i].p,
		    pieces[i].n);
	crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}
