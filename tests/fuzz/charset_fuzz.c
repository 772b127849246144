/*
 * Alphabets: what has a place in one comes back as it was; what is unpacked
 * from any octets is text that can be packed into the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modem/charset.h"
#include "server/base/str.h"

#define MOST 280

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
is_utf8(const char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		int len = str_utf8((const uint8_t *)text + i, n - i);

		if (len <= 0)
			abort();
		i += (size_t)len;
	}
	if (text[n] != '\0')
		abort();
}

static void
text_and_back(const char *text, size_t n)
{
	uint8_t septets[2 * MOST], octets[4 * MOST];
	char back[CHARSET_GSM_TEXT(2 * MOST) + CHARSET_UCS2_TEXT(4 * MOST)];
	bool dangling;
	size_t len;
	int used = charset_to_gsm(septets, sizeof(septets), text, n);

	if (used != -1) {
		len = charset_from_gsm(back, septets, (size_t)used, &dangling);
		if (dangling || len != n || memcmp(back, text, n) != 0)
			abort();
	}
	used = charset_to_ucs2(octets, sizeof(octets), text, n);
	if (used != -1 && (charset_from_ucs2(back, octets, (size_t)used,
	    &len) == -1 || len != n || memcmp(back, text, n) != 0))
		abort();
}

static void
octets_and_back(const uint8_t *p, size_t n, size_t bit)
{
	uint8_t septets[2 * MOST], packed[2 * MOST];
	char text[CHARSET_GSM_TEXT(2 * MOST)];
	size_t count = bit > n * 8 ? 0 : (n * 8 - bit) / 7, len;

	if (bit > n * 8)
		return;
	if (charset_unpack(septets, count, p, n, bit) == -1 ||
	    charset_unpack(septets, count + 1, p, n, bit) != -1)
		abort();
	len = charset_from_gsm(text, septets, count, NULL);
	is_utf8(text, len);
	memcpy(packed, p, n);
	if (charset_pack(packed, n, bit, septets, count) == -1)
		abort();
	for (size_t i = 0; i < bit + count * 7; i++) {
		if ((packed[i / 8] ^ p[i / 8]) >> (i % 8) & 1)
			abort();
	}
	if (charset_from_ucs2(text, p, n & ~(size_t)1, &len) == -1)
		abort();
	is_utf8(text, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > MOST)
		n = MOST;
	text_and_back((const char *)p, n);
	if (n > 0)
		octets_and_back(p + 1, n - 1, p[0] % 16);
	return 0;
}
