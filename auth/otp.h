/*
 * otp: one-time codes of eight digits, by counter (HOTP, RFC 4226) and by time
 * (TOTP, RFC 6238: the same with the step of 30 s as the counter).  Pure.
 *
 * A search computes every code of its range and compares in constant time,
 * whatever matches and where, so that time says nothing about the secret.
 */
#ifndef AUTH_OTP_H
#define AUTH_OTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTP_DIGITS 8
#define OTP_CODE (OTP_DIGITS + 1)	/* with NUL */
#define OTP_SECRET 20			/* bytes of a new secret, as SHA-1 */
#define OTP_SECRET_MAX 40
#define OTP_BASE32 65			/* text of the longest, with NUL */
#define OTP_STEP 30			/* seconds */

/* Highest counter ever used: what is beyond is a damaged file. */
#define OTP_COUNTER_MAX (UINT64_C(1) << 62)

struct otp_secret {
	uint8_t bytes[OTP_SECRET_MAX];
	size_t n;
};

/* What is known about the time a code came; seconds since the epoch. */
struct otp_time {
	bool trusted;		/* now is right: synchronised since boot */
	int64_t now;
	int64_t smsc;		/* stamp of the SMS centre, 0: none */
};

/* A search's result: the highest match in each half. */
struct otp_found {
	bool ahead, behind;
	uint64_t ahead_at, behind_at;	/* counters */
};

/* The code at this counter.  0; -1 when the secret is of no use. */
int otp_code(const struct otp_secret *, uint64_t counter, char dst[OTP_CODE]);

/* Exactly eight ASCII digits? */
bool otp_is_code(const char *);

/* The whole of both, in constant time. */
bool otp_equal(const char a[OTP_CODE], const char b[OTP_CODE]);

/*
 * Look for a code at the counters from - behind to from + ahead: those below
 * from were used or passed over.  The highest match counts: what came before
 * it is passed over, so that digits that occur twice never work twice.
 */
void otp_search(const struct otp_secret *, const char code[OTP_CODE],
    uint64_t from, unsigned ahead, unsigned behind, struct otp_found *);

/*
 * The step of a time-based code.  0; -1 when the time is not to be trusted:
 * the clock is not, and the SMS centre's stamp does not agree with it either.
 */
int otp_step(const struct otp_time *, uint64_t *step);

/* RFC 4648 text without padding, and back.  The first returns dst. */
char *otp_base32(char dst[OTP_BASE32], const struct otp_secret *);
int otp_base32_parse(const char *, struct otp_secret *);

/*
 * What an authenticator app reads:
 * "otpauth://hotp/ISSUER:NAME?secret=...&issuer=...&digits=8&counter=N", or
 * totp and period=30; names percent-encoded.  The caller wipes and frees.
 */
char *otp_uri(const struct otp_secret *, bool totp, const char *issuer,
    const char *name, uint64_t counter);

#endif
