#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <liboath/oath.h>

#include "../server/base/mem.h"
#include "otp.h"

/* The SMS centre and we may be apart by so much and still agree, seconds. */
#define SMSC_APART 900

/* Else a code would be wrong, or a secret an empty one, for want of memory. */
static int
checked(int r)
{
	if (r == OATH_MALLOC_ERROR)
		mem_failed();
	return r;
}

int
otp_code(const struct otp_secret *s, uint64_t counter, char dst[OTP_CODE])
{
	int r = checked(oath_hotp_generate((const char *)s->bytes, s->n,
	    counter, OTP_DIGITS, false, OATH_HOTP_DYNAMIC_TRUNCATION, dst));

	if (r == OATH_OK)
		return 0;
	memset(dst, 0, OTP_CODE);
	return -1;
}

bool
otp_is_code(const char *s)
{
	return strlen(s) == OTP_DIGITS &&
	    strspn(s, "0123456789") == OTP_DIGITS;
}

bool
otp_equal(const char a[OTP_CODE], const char b[OTP_CODE])
{
	volatile unsigned char differ = 0;

	for (int i = 0; i < OTP_CODE; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

void
otp_search(const struct otp_secret *s, const char code[OTP_CODE],
    uint64_t from, unsigned ahead, unsigned behind, struct otp_found *found)
{
	uint64_t first = from > behind ? from - behind : 0;
	char want[OTP_CODE];

	memset(found, 0, sizeof(*found));
	for (uint64_t at = first; at <= from + ahead; at++) {
		bool good = otp_code(s, at, want) == 0;

		good &= otp_equal(want, code);
		if (at < from) {
			found->behind |= good;
			found->behind_at = good ? at : found->behind_at;
		} else {
			found->ahead |= good;
			found->ahead_at = good ? at : found->ahead_at;
		}
	}
	explicit_bzero(want, sizeof(want));
}

int
otp_step(const struct otp_time *t, uint64_t *step)
{
	if (t->now < 0)
		return -1;
	if (!t->trusted && (t->smsc <= 0 ||
	    t->smsc < t->now - SMSC_APART || t->smsc > t->now + SMSC_APART))
		return -1;
	*step = (uint64_t)t->now / OTP_STEP;
	return 0;
}

char *
otp_base32(char dst[OTP_BASE32], const struct otp_secret *s)
{
	char *text = NULL;
	size_t n = 0;

	dst[0] = '\0';
	if (s->n <= OTP_SECRET_MAX && checked(oath_base32_encode(
	    (const char *)s->bytes, s->n, &text, &n)) == OATH_OK) {
		n = strcspn(text, "=");
		memcpy(dst, text, n);
		dst[n] = '\0';
		freezero(text, strlen(text));
	}
	return dst;
}

int
otp_base32_parse(const char *text, struct otp_secret *s)
{
	char *bytes = NULL;
	size_t n = 0;
	int r = -1;

	memset(s, 0, sizeof(*s));
	if (strlen(text) >= OTP_BASE32 || checked(oath_base32_decode(text,
	    strlen(text), &bytes, &n)) != OATH_OK)
		return -1;
	if (n > 0 && n <= sizeof(s->bytes)) {
		memcpy(s->bytes, bytes, n);
		s->n = n;
		r = 0;
	}
	freezero(bytes, n);
	return r;
}

/* RFC 3986: everything but the unreserved.  The caller frees. */
static char *
percent(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	static const char hex[] = "0123456789ABCDEF";
	char *dst = xmalloc(3 * strlen(s) + 1);
	size_t n = 0;

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (strchr(plain, *s) != NULL) {
			dst[n++] = *s;
			continue;
		}
		dst[n++] = '%';
		dst[n++] = hex[c >> 4];
		dst[n++] = hex[c & 15];
	}
	dst[n] = '\0';
	return dst;
}

char *
otp_uri(const struct otp_secret *s, bool totp, const char *issuer,
    const char *name, uint64_t counter)
{
	char secret[OTP_BASE32], *by = percent(issuer), *who = percent(name);
	char *uri;

	otp_base32(secret, s);
	if (totp)
		uri = xasprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s"
		    "&digits=%d&period=%d", by, who, secret, by, OTP_DIGITS,
		    OTP_STEP);
	else
		uri = xasprintf("otpauth://hotp/%s:%s?secret=%s&issuer=%s"
		    "&digits=%d&counter=%" PRIu64, by, who, secret, by,
		    OTP_DIGITS, counter);
	explicit_bzero(secret, sizeof(secret));
	free(by);
	free(who);
	return uri;
}
