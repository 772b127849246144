#include <stddef.h>

#include "ssh_offer.h"

static const struct {
	enum ssh_options_e option;
	const char *value;
} offers[] = {
	/* Nothing is learnt from, or written to, a user's files. */
	{ SSH_OPTIONS_SSH_DIR,		"/nonexistent" },
	{ SSH_OPTIONS_KNOWNHOSTS,	"/dev/null" },
	{ SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null" },
	{ SSH_OPTIONS_KEY_EXCHANGE,	SSH_OFFER_KEX },
	{ SSH_OPTIONS_CIPHERS_C_S,	SSH_OFFER_CIPHERS },
	{ SSH_OPTIONS_CIPHERS_S_C,	SSH_OFFER_CIPHERS },
	{ SSH_OPTIONS_HMAC_C_S,		SSH_OFFER_MACS },
	{ SSH_OPTIONS_HMAC_S_C,		SSH_OFFER_MACS },
	{ SSH_OPTIONS_COMPRESSION_C_S,	"none" },
	{ SSH_OPTIONS_COMPRESSION_S_C,	"none" },
	{ SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, "ssh-ed25519" },
};

bool
ssh_offer_client(ssh_session s)
{
	const bool no = false;

	if (ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no) != SSH_OK)
		return false;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		if (ssh_options_set(s, offers[i].option, offers[i].value) !=
		    SSH_OK)
			return false;
	}
	return true;
}
