/*
 * Lines of authorized_keys: no crash; a refusal has a message, safe on a
 * terminal; an accepted key is what it says, and an option that restricts it
 * is never lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keys.h"
#include "server/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			abort();
	}
}

static void
check_key(const struct key *k, const char *line)
{
	static const char *const addresses[] = {
		"192.0.2.1", "10.1.2.3", "2001:db8::1", "::ffff:192.0.2.1",
		"fe80::1%eth0", "", "relay",
	};
	char fp[KEY_FINGERPRINT], plain[KEY_LINE_MAX * 2], err[KEY_ERROR];
	const char *why;
	struct key *same;

	check_text(key_comment(k));
	if (strncmp(key_fingerprint(fp, k), "SHA256:", 7) != 0 ||
	    strlen(fp) != 50)
		abort();
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		if (key_allows(k, addresses[i], 1800000000000000, &why) !=
		    (why == NULL))
			abort();
	}
	/* With no address, only a key without from= goes through. */
	if (key_allows(k, NULL, 0, NULL) && strncmp(line, "from=", 5) == 0)
		abort();
	/* The bare key alone is the same key. */
	snprintf(plain, sizeof(plain), "%s %s", key_type(k), key_base64(k));
	if (key_parse(plain, &same, err, sizeof(err)) != 1 ||
	    !key_equal(k, same) || !key_matches(k, key_base64(same)) ||
	    !key_allows(same, NULL, 0, NULL))
		abort();
	key_free(same);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *line = xstrndup((const char *)p, n), err[KEY_ERROR] = "";
	struct key *k = NULL;

	switch (key_parse(line, &k, err, sizeof(err))) {
	case 1:
		check_key(k, line);
		break;
	case 0:
		if (k != NULL)
			abort();
		break;
	case -1:
		check_text(err);
		if (k != NULL || err[0] == '\0')
			abort();
		break;
	default:
		abort();
	}
	key_free(k);
	free(line);
	return 0;
}
