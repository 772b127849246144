#include <sodium.h>
#include <string.h>

#include "hmac.h"
#include "voucher.h"

static const char purpose[] = "oobd: who is logged in";

void
voucher_make(char dst[VOUCHER_TEXT], const uint8_t key[VOUCHER_KEY],
    const char *user)
{
	const struct digest_piece pieces[] = {
		{ purpose, sizeof(purpose) }, { user, strlen(user) },
	};
	uint8_t mac[HMAC_LEN];

	hmac(mac, key, VOUCHER_KEY, pieces, 2);
	sodium_bin2hex(dst, VOUCHER_TEXT, mac, sizeof(mac));
	sodium_memzero(mac, sizeof(mac));
}

bool
voucher_good(const uint8_t key[VOUCHER_KEY], const char *user,
    const char *text)
{
	char right[VOUCHER_TEXT];
	bool good;

	voucher_make(right, key, user);
	good = strlen(text) == VOUCHER_TEXT - 1 &&
	    sodium_memcmp(right, text, VOUCHER_TEXT - 1) == 0;
	sodium_memzero(right, sizeof(right));
	return good;
}
