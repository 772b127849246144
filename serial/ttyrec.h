/*
 * ttyrec: the codec of ttyrec(1) recordings: frames of a header and bytes, as
 * they came.  Pure.
 */
#ifndef SERIAL_TTYREC_H
#define SERIAL_TTYREC_H

#include <stddef.h>
#include <stdint.h>

#define TTYREC_HEAD 12

/* The header of a frame of n bytes, UTC microseconds, little endian. */
void ttyrec_head(uint8_t dst[TTYREC_HEAD], int64_t utc_us, uint32_t n);

#endif
