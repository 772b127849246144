/*
 * voucher: the word of who has checked a login, that it is this user's, in
 * the hands of a process that nobody has to believe.  Pure.  HMAC-SHA-256
 * (RFC 2104) of the name, with a key that only those know who make and who
 * check vouchers, and that lasts as long as the process between them.
 */
#ifndef AUTH_VOUCHER_H
#define AUTH_VOUCHER_H

#include <stdbool.h>
#include <stdint.h>

#define VOUCHER_KEY 32
#define VOUCHER_TEXT 65		/* hexadecimal, and NUL */

void voucher_make(char dst[VOUCHER_TEXT], const uint8_t key[VOUCHER_KEY],
    const char *user);

/* Takes the same time wherever they differ. */
bool voucher_good(const uint8_t key[VOUCHER_KEY], const char *user,
    const char *text);

#endif
