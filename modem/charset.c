#include <string.h>

#include "../server/base/str.h"
#include "charset.h"

#define ESCAPE 0x1b
#define REPLACEMENT 0xfffd

/* 3GPP TS 23.038, 6.2.1; 0x1b is the escape. */
static const uint16_t basic[128] = {
	0x0040, 0x00a3, 0x0024, 0x00a5, 0x00e8, 0x00e9, 0x00f9, 0x00ec,
	0x00f2, 0x00c7, 0x000a, 0x00d8, 0x00f8, 0x000d, 0x00c5, 0x00e5,
	0x0394, 0x005f, 0x03a6, 0x0393, 0x039b, 0x03a9, 0x03a0, 0x03a8,
	0x03a3, 0x0398, 0x039e, 0x0000, 0x00c6, 0x00e6, 0x00df, 0x00c9,
	0x0020, 0x0021, 0x0022, 0x0023, 0x00a4, 0x0025, 0x0026, 0x0027,
	0x0028, 0x0029, 0x002a, 0x002b, 0x002c, 0x002d, 0x002e, 0x002f,
	0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037,
	0x0038, 0x0039, 0x003a, 0x003b, 0x003c, 0x003d, 0x003e, 0x003f,
	0x00a1, 0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046, 0x0047,
	0x0048, 0x0049, 0x004a, 0x004b, 0x004c, 0x004d, 0x004e, 0x004f,
	0x0050, 0x0051, 0x0052, 0x0053, 0x0054, 0x0055, 0x0056, 0x0057,
	0x0058, 0x0059, 0x005a, 0x00c4, 0x00d6, 0x00d1, 0x00dc, 0x00a7,
	0x00bf, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067,
	0x0068, 0x0069, 0x006a, 0x006b, 0x006c, 0x006d, 0x006e, 0x006f,
	0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077,
	0x0078, 0x0079, 0x007a, 0x00e4, 0x00f6, 0x00f1, 0x00fc, 0x00e0,
};

/* 6.2.1.1.  A second escape is kept for another table: shown as a blank. */
static const struct extension {
	uint8_t septet;
	uint16_t code;
} extensions[] = {
	{ 0x0a, 0x000c }, { 0x14, 0x005e }, { 0x1b, 0x0020 },
	{ 0x28, 0x007b }, { 0x29, 0x007d }, { 0x2f, 0x005c },
	{ 0x3c, 0x005b }, { 0x3d, 0x007e }, { 0x3e, 0x005d },
	{ 0x40, 0x007c }, { 0x65, 0x20ac },
};

#define EXTENSIONS (sizeof(extensions) / sizeof(extensions[0]))

int
charset_unpack(uint8_t *septets, size_t count, const uint8_t *p, size_t n,
    size_t bit)
{
	if (bit > n * 8 || count > (n * 8 - bit) / 7)
		return -1;
	for (size_t i = 0; i < count; i++, bit += 7) {
		unsigned v = p[bit / 8] >> (bit % 8);

		if (bit % 8 > 1)
			v |= (unsigned)p[bit / 8 + 1] << (8 - bit % 8);
		septets[i] = v & 0x7f;
	}
	return 0;
}

int
charset_pack(uint8_t *dst, size_t size, size_t bit, const uint8_t *septets,
    size_t count)
{
	size_t used = (bit + count * 7 + 7) / 8;

	if (count > size * 8 || used > size)
		return -1;
	if (bit % 8 != 0)
		dst[bit / 8] &= (uint8_t)((1u << (bit % 8)) - 1);
	memset(dst + (bit + 7) / 8, 0, used - (bit + 7) / 8);
	for (size_t i = 0; i < count; i++, bit += 7) {
		unsigned v = (unsigned)(septets[i] & 0x7f) << (bit % 8);

		dst[bit / 8] |= (uint8_t)v;
		if (bit % 8 > 1)
			dst[bit / 8 + 1] |= (uint8_t)(v >> 8);
	}
	return (int)used;
}

size_t
charset_code(const char *text, size_t n, uint32_t *code)
{
	const uint8_t *p = (const uint8_t *)text;
	int len = str_utf8(p, n);
	uint32_t c;

	if (len <= 0)
		return 0;
	c = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	for (int i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	*code = c;
	return (size_t)len;
}

static uint16_t
extended(uint8_t septet)
{
	for (size_t i = 0; i < EXTENSIONS; i++) {
		if (extensions[i].septet == septet)
			return extensions[i].code;
	}
	return basic[septet];
}

size_t
charset_from_gsm(char *dst, const uint8_t *septets, size_t n, bool *dangling)
{
	size_t len = 0;
	bool escaped = false;

	for (size_t i = 0; i < n; i++) {
		uint8_t s = septets[i] & 0x7f;

		if (!escaped && s == ESCAPE) {
			escaped = true;
			continue;
		}
		len += str_utf8_put(dst + len, escaped ? extended(s) : basic[s]);
		escaped = false;
	}
	dst[len] = '\0';
	if (dangling != NULL)
		*dangling = escaped;
	return len;
}

/* The septets of one character in pair; how many, 0: it has none. */
static size_t
septets_of(uint32_t code, uint8_t pair[2])
{
	/* NUL stands in basic[] where the escape is. */
	for (size_t i = 0; code != 0 && i < 128; i++) {
		if (basic[i] == code) {
			pair[0] = (uint8_t)i;
			return 1;
		}
	}
	for (size_t i = 0; i < EXTENSIONS; i++) {
		if (extensions[i].code == code) {
			pair[0] = ESCAPE;
			pair[1] = extensions[i].septet;
			return 2;
		}
	}
	return 0;
}

int
charset_to_gsm(uint8_t *dst, size_t size, const char *text, size_t n)
{
	size_t used = 0, len, k;
	uint8_t pair[2];
	uint32_t code = 0;

	for (size_t i = 0; i < n; i += len) {
		len = charset_code(text + i, n - i, &code);
		k = len == 0 ? 0 : septets_of(code, pair);
		if (k == 0 || used + k > size)
			return -1;
		if (dst != NULL)
			memcpy(dst + used, pair, k);
		used += k;
	}
	return (int)used;
}

static bool
is_high(unsigned unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool
is_low(unsigned unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

int
charset_from_ucs2(char *dst, const uint8_t *p, size_t n, size_t *len)
{
	size_t used = 0;

	if (n % 2 != 0)
		return -1;
	for (size_t i = 0; i < n; i += 2) {
		uint32_t c = (uint32_t)p[i] << 8 | p[i + 1];
		uint32_t next = i + 3 < n ?
		    (uint32_t)p[i + 2] << 8 | p[i + 3] : 0;

		if (is_high(c) && is_low(next)) {
			c = 0x10000 + ((c & 0x3ff) << 10) + (next & 0x3ff);
			i += 2;
		} else if (is_high(c) || is_low(c)) {
			c = REPLACEMENT;
		}
		used += str_utf8_put(dst + used, c);
	}
	dst[used] = '\0';
	*len = used;
	return 0;
}

static void
put_unit(uint8_t *dst, uint32_t unit)
{
	dst[0] = (uint8_t)(unit >> 8);
	dst[1] = (uint8_t)unit;
}

int
charset_to_ucs2(uint8_t *dst, size_t size, const char *text, size_t n)
{
	size_t used = 0, len, k;
	uint32_t code = 0;

	for (size_t i = 0; i < n; i += len) {
		len = charset_code(text + i, n - i, &code);
		k = code > 0xffff ? 4 : 2;
		if (len == 0 || used + k > size)
			return -1;
		if (dst != NULL && k == 2)
			put_unit(dst + used, code);
		if (dst != NULL && k == 4) {
			put_unit(dst + used, 0xd7c0 + (code >> 10));
			put_unit(dst + used + 2, 0xdc00 | (code & 0x3ff));
		}
		used += k;
	}
	return (int)used;
}
