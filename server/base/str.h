/*
 * str: strict parsing of numbers, durations and sizes, and bounded text.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decimal, whole string, within [min, max].  0 and *out set, or -1 and *out
 * untouched.
 */
int str_int(const char *, int64_t min, int64_t max, int64_t *out);

/*
 * "250ms", "90s", "30min", "4h", "2d"; a bare number is seconds.  *ms set.
 * 0 or -1.
 */
int str_duration(const char *, int64_t *ms);

/* The shortest such text that parses to the same; dst of STR_NUM bytes. */
#define STR_NUM 24
char *str_duration_text(char dst[STR_NUM], int64_t ms);

/* "512", "64kb", "16mb", "2gb" (powers of 1024).  *bytes set.  0 or -1. */
int str_size(const char *, int64_t *bytes);
char *str_size_text(char dst[STR_NUM], int64_t bytes);

/* "1,234,567".  Returns dst. */
#define STR_GROUPED 32
char *str_grouped(char dst[STR_GROUPED], uint64_t);

/* Whole words, case-insensitive: "yes true on 1" / "no false off 0". */
int str_bool(const char *, bool *out);

/*
 * Copy n bytes of src as text that is safe on a terminal and in a journal
 * event: C0, DEL, backslash and bytes of invalid UTF-8 become \xNN; at most
 * size - 1 bytes and NUL.  Returns dst.
 */
char *str_safe(char *dst, size_t size, const void *src, size_t n);

/*
 * Length in bytes of the UTF-8 character at p (n bytes there), 0 when it is
 * invalid, -1 when it is a valid beginning that n cuts off.  RFC 3629.
 */
int str_utf8(const uint8_t *p, size_t n);

/* How many bytes of s, at most max: no character of valid UTF-8 is halved. */
size_t str_utf8_fit(const char *s, size_t max);

/* Write one code point, up to U+10FFFF, as UTF-8: 1 to 4 bytes; how many. */
size_t str_utf8_put(char dst[4], uint32_t c);

/* A console or user name: [A-Za-z0-9][A-Za-z0-9._-]{0,31}. */
bool str_is_name(const char *);

#endif
