/*
 * addr: network addresses as values: parsed from text, compared, matched
 * against a network.  Pure; host names are nobody here.
 */
#ifndef AUTH_ADDR_H
#define AUTH_ADDR_H

#include <stdbool.h>
#include <stdint.h>

struct addr {
	bool v6;
	uint8_t bytes[16];	/* the first 4 for IPv4, the rest is 0 */
};

#define ADDR_TEXT 48

/*
 * "192.0.2.1", "2001:db8::1", "fe80::1%eth0" (the zone is dropped).  An IPv4
 * address mapped into IPv6 becomes the IPv4 address.  0, or -1 when it is
 * neither.
 */
int addr_parse(const char *, struct addr *);

/* Canonical text.  Returns dst. */
char *addr_text(char dst[ADDR_TEXT], const struct addr *);

/* Zero all but the first bits (0 to 32, or 128). */
void addr_mask(struct addr *, unsigned bits);

/*
 * "192.0.2.0/24": the network and its bits; an address alone is a network of
 * its own.  0, or -1 when it is neither, or bits beyond the mask are set.
 */
int addr_parse_network(const char *, struct addr *, unsigned *bits);

bool addr_equal(const struct addr *, const struct addr *);

/* 127.0.0.0/8 or ::1. */
bool addr_is_loopback(const struct addr *);

#endif
