/*
 * modem_portal: a network that answers everything itself: every host can be
 * pinged, every name has the portal's address, every TCP connection gets a
 * redirection to a web page.  Pure, and without memory: each packet is
 * answered by itself.
 */
#ifndef SIM_MODEM_PORTAL_H
#define SIM_MODEM_PORTAL_H

#include <stddef.h>
#include <stdint.h>

#define PORTAL_PACKET 1500	/* most bytes of an answer */

/* The answer to an IPv4 packet: its size, 0 for none. */
size_t portal_answer(const uint8_t *packet, size_t n,
    uint8_t out[PORTAL_PACKET]);

#endif
