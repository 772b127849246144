/*
 * modem_hdlc: PPP's framing on an asynchronous line, RFC 1662.  Pure.
 */
#ifndef SIM_MODEM_HDLC_H
#define SIM_MODEM_HDLC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HDLC_MAX 2048		/* most bytes of a frame, FCS included */
#define HDLC_WIRE (2 * HDLC_MAX + 16)

/* A frame in the making; all zero at first. */
struct hdlc {
	bool escaped;
	bool overrun;
	size_t n;
	uint8_t frame[HDLC_MAX];
};

/*
 * One more byte from the line.  True: a whole, sound frame is there, its n
 * bytes without the FCS, until the next call.
 */
bool hdlc_take(struct hdlc *, uint8_t, const uint8_t **frame, size_t *n);

/*
 * The bytes for the line: address and control, protocol, payload (at most
 * HDLC_MAX - 8 bytes), FCS, flags; every control character is escaped.
 * Their number.
 */
size_t hdlc_make(uint8_t out[HDLC_WIRE], uint16_t protocol,
    const uint8_t *payload, size_t n);

#endif
