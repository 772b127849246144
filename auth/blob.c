#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "blob.h"

static bool
take_number(struct blob *b, size_t bytes, uint64_t *v)
{
	if ((size_t)(b->end - b->p) < bytes)
		return false;
	*v = 0;
	for (size_t i = 0; i < bytes; i++)
		*v = *v << 8 | *b->p++;
	return true;
}

bool
blob_u32(struct blob *b, uint32_t *v)
{
	uint64_t wide;

	if (!take_number(b, 4, &wide))
		return false;
	*v = (uint32_t)wide;
	return true;
}

bool
blob_u64(struct blob *b, uint64_t *v)
{
	return take_number(b, 8, v);
}

const uint8_t *
blob_take(struct blob *b, size_t *n)
{
	struct blob ahead = *b;
	const uint8_t *p;
	uint32_t len;

	if (!blob_u32(&ahead, &len) || len > (size_t)(ahead.end - ahead.p))
		return NULL;
	p = ahead.p;
	*n = len;
	b->p = p + len;
	return p;
}

bool
blob_open(struct blob *b, struct blob *in)
{
	size_t n;
	const uint8_t *p = blob_take(b, &n);

	if (p == NULL)
		return false;
	in->p = p;
	in->end = p + n;
	return true;
}

bool
blob_take_is(struct blob *b, const char *want)
{
	size_t n;
	const uint8_t *p = blob_take(b, &n);

	return p != NULL && n == strlen(want) && memcmp(p, want, n) == 0;
}

char *
blob_encode(const uint8_t *p, size_t n)
{
	size_t size = sodium_base64_ENCODED_LEN(n,
	    sodium_base64_VARIANT_ORIGINAL);
	char *text = xmalloc(size);

	return sodium_bin2base64(text, size, p, n,
	    sodium_base64_VARIANT_ORIGINAL);
}

uint8_t *
blob_decode(const char *base64, size_t *len)
{
	size_t n = strlen(base64);
	uint8_t *blob = xmalloc(n + 1);
	bool good = n > 0 && sodium_base642bin(blob, n + 1, base64, n, NULL,
	    len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
	char *again;

	if (good) {
		again = blob_encode(blob, *len);
		good = strcmp(again, base64) == 0;
		free(again);
	}
	if (good)
		return blob;
	free(blob);
	return NULL;
}
