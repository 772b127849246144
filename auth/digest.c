#include <assert.h>
#include <sodium.h>

#include "digest.h"

static_assert(crypto_generichash_BYTES == DIGEST_LEN, "BLAKE2b-256");

void
digest(uint8_t out[DIGEST_LEN], const struct digest_piece *pieces, size_t n)
{
	crypto_generichash_state state;
	uint8_t len[8];

	crypto_generichash_init(&state, NULL, 0, DIGEST_LEN);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(len); k++)
			len[k] = (uint8_t)((uint64_t)pieces[i].n >> (8 * k));
		crypto_generichash_update(&state, len, sizeof(len));
		crypto_generichash_update(&state, pieces[i].p, pieces[i].n);
	}
	crypto_generichash_final(&state, out, DIGEST_LEN);
}
