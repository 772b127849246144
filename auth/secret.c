#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/log.h"
#include "secret.h"

void *
secret_new(size_t n)
{
	void *p = sodium_init() == -1 ? NULL : sodium_malloc(n);

	if (p == NULL) {
		log_error("out of memory for a secret");
		abort();
	}
	/* It comes filled with something else. */
	memset(p, 0, n);
	return p;
}

char *
secret_text(const char *text)
{
	size_t n;
	char *p;

	if (text == NULL)
		return NULL;
	n = strlen(text) + 1;
	p = secret_new(n);
	memcpy(p, text, n);
	return p;
}

void
secret_free(void *p)
{
	sodium_free(p);
}

void
secret_check(void)
{
	void *p = secret_new(1);

	/* What was tried already, and is not said by sodium_malloc. */
	if (sodium_mlock(p, 1) == -1)
		log_warn("secrets may be swapped out, no memory can be "
		    "locked: %s (raise RLIMIT_MEMLOCK, ulimit -l, to 64 kB "
		    "or more)", strerror(errno));
	secret_free(p);
}
