/*
 * A file with a user's password, of any content: what is taken for a hash is
 * one line with just our limits, so that no file makes a check cost more; and
 * no password is right but the one that it is of.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "auth/passwd.h"

/* A check takes a tenth of a second: not for each. */
#define CHECKS 40

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char limits[] = "$argon2id$v=19$m=32768,t=3,p=1$";

static void
check(const char hash[PASSWD_HASH])
{
	static unsigned checks;

	if (memchr(hash, '\0', PASSWD_HASH) == NULL ||
	    strncmp(hash, limits, sizeof(limits) - 1) != 0)
		abort();
	for (const char *p = hash; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~')
			abort();
	}
	if (checks++ < CHECKS && crypto_pwhash_str_verify(hash, "guess",
	    5) == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char hash[PASSWD_HASH], *text = malloc(n);

	if (sodium_init() == -1 || (text == NULL && n > 0))
		abort();
	/* Of just its size: there is no NUL behind it. */
	if (n > 0)
		memcpy(text, p, n);
	memset(hash, 'Z', sizeof(hash));
	if (passwd_parse(text, n, hash))
		check(hash);
	free(text);
	return 0;
}
