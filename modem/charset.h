/*
 * charset: the alphabets of short messages (3GPP TS 23.038).  Pure: bytes in,
 * UTF-8 out, and back.  Septets are held one to a byte; no function here
 * takes NUL for an end, since septet 0 is '@'.
 *
 * The default alphabet with its extension table is complete.  The national
 * language shift tables are not known here: a message that names one is read
 * with the default tables, and whoever asks is told (pdu.h, national).
 */
#ifndef MODEM_CHARSET_H
#define MODEM_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of UTF-8, NUL included, that n septets or n octets can become. */
#define CHARSET_GSM_TEXT(n) (2 * (n) + 1)
#define CHARSET_UCS2_TEXT(n) (3 * ((n) / 2) + 1)

/*
 * count septets that begin at bit `bit` of the n octets at p.  0, or -1 when
 * they do not lie within them (septets is then untouched).
 */
int charset_unpack(uint8_t *septets, size_t count, const uint8_t *p, size_t n,
    size_t bit);

/*
 * The reverse: octets from bit `bit` of dst on are written, bits before it
 * in the same octet kept, unused ones after the end cleared.  Returns how
 * many octets of dst are then in use, -1 when they are more than size.
 */
int charset_pack(uint8_t *dst, size_t size, size_t bit,
    const uint8_t *septets, size_t count);

/*
 * n septets as UTF-8 and NUL: CHARSET_GSM_TEXT(n) bytes of dst are enough.
 * An escape before a code that is not in the extension table gives the
 * character of the default table, one at the very end gives nothing and sets
 * *dangling (may be NULL).  Returns the length.
 */
size_t charset_from_gsm(char *dst, const uint8_t *septets, size_t n,
    bool *dangling);

/*
 * n bytes of UTF-8 as septets.  Returns how many, -1 when a character is not
 * in the alphabet, is no UTF-8, or they are more than size.  dst may be NULL:
 * then they are only counted.
 */
int charset_to_gsm(uint8_t *dst, size_t size, const char *text, size_t n);

/*
 * n octets of UCS-2, read as UTF-16, big endian, as UTF-8 and NUL:
 * CHARSET_UCS2_TEXT(n) bytes of dst are enough.  Half of a surrogate pair
 * becomes U+FFFD.  *len is set; 0, or -1 when n is odd.
 */
int charset_from_ucs2(char *dst, const uint8_t *p, size_t n, size_t *len);

/* As charset_to_gsm, in octets of UTF-16, big endian. */
int charset_to_ucs2(uint8_t *dst, size_t size, const char *text, size_t n);

/*
 * One character of UTF-8, n > 0 bytes at p: its code in *code, its length
 * returned, 0 when it is no UTF-8.
 */
size_t charset_code(const char *p, size_t n, uint32_t *code);

#endif
