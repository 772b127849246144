/*
 * Certificates: no crash; what is refused has a reason, and what is not is
 * one that ssh-keygen made: nobody else can sign.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/blob.h"
#include "auth/cert.h"
#include "server/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
look(const struct cert *c)
{
	char text[CERT_TEXT];

	(void)cert_names(c, "alice");
	(void)cert_valid(c, 1800000000);
	(void)cert_allows(c, "192.0.2.1");
	(void)cert_allows(c, NULL);
	(void)cert_id_is(c, "x");
	if (cert_key(c) == NULL || cert_authority(c) == NULL)
		abort();
	for (const char *s = cert_text(text, c); *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			abort();
	}
}

/* As base64 the first time, then as what that stands for. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *texts[2] = { xstrndup((const char *)p, n), blob_encode(p, n) };
	struct cert *c;
	const char *why;

	for (size_t i = 0; i < 2; i++) {
		why = NULL;
		c = cert_parse(texts[i], &why);
		if ((c == NULL) == (why == NULL))
			abort();
		if (c != NULL) {
			if (!cert_is(texts[i]))
				abort();
			look(c);
		}
		cert_free(c);
		free(texts[i]);
	}
	return 0;
}
