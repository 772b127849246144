/*
 * when: a time as a person writes it.  Pure.
 */
#ifndef SERIAL_WHEN_H
#define SERIAL_WHEN_H

#include <stdint.h>

/*
 * RFC 3339 ("2026-11-22T09:41:03Z", also +01:00, a fraction, or no zone, which
 * means UTC; the time may be left out), "HH:MM" or "HH:MM:SS" of today, UTC,
 * "-15min" before now, or "now".  0 and *utc_us, or -1.
 */
int when_parse(const char *, int64_t now_us, int64_t *utc_us);

#endif
