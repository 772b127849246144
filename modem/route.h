/*
 * route: host routes over the PPP interface, and the proof that what is to go
 * over the modem does.  IPv4 only: PPP is asked for nothing else.
 *
 * What asks or changes the kernel's tables is in route_linux.c (netlink) and
 * route_freebsd.c (routing socket), the rest in route.c.  None of it blocks
 * for longer than the kernel takes to answer.
 */
#ifndef MODEM_ROUTE_H
#define MODEM_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_NAME 32		/* of an interface */
#define ROUTE_ADDRESS 16	/* "255.255.255.255" and NUL */
#define ROUTE_WHY 200

/*
 * Could a host of the internet (or of a carrier) have this address: not this
 * host, no loopback, link-local, multicast or broadcast.  False for what is no
 * IPv4 address in its shortest form, too.
 */
bool route_is_host(const char *address);

/* Name servers that Huawei's firmware makes up: 10.11.12.13, 10.11.12.14. */
bool route_is_fake_dns(const char *address);

/*
 * Copy a list "a,b" of name servers without the fakes and what is no host.
 * How many were left out, or -1: it does not fit.
 */
int route_filter_dns(char *dst, size_t size, const char *list);

/* An interface: is it there, with an address? */
struct route_interface {
	bool exists, up;
	char local[ROUTE_ADDRESS];	/* "": none yet */
	char peer[ROUTE_ADDRESS];	/* "": none, or not point to point */
	uint64_t received, sent;	/* bytes since it was made */
};
/* 0 (also when it does not exist), or -1 with errno. */
int route_interface(const char *name, struct route_interface *);
/* Its bytes alone.  0, or -1 with errno. */
int route_counters(const char *name, uint64_t *received, uint64_t *sent);

/*
 * Add or remove the route to one host over this interface.  Adding one that is
 * there, or removing one that is not, is done; one that leads elsewhere stays
 * as it is (EEXIST).  Root.  0, or -1 with errno.
 */
int route_add(const char *interface, const char *address);
int route_remove(const char *interface, const char *address);
/*
 * The way to everywhere: two routes to a half of all addresses each, so that
 * the default route stays as it is and is in force again when they go, at the
 * latest with the interface.
 */
int route_all(const char *interface, bool add);

/*
 * Which interface would the kernel send to this address by.  0, or -1 with
 * errno (ENETUNREACH: none).
 */
int route_lookup(const char *address, char interface[ROUTE_NAME]);

/*
 * The proof, for a TCP socket that is connected: its local address is local,
 * its peer's is reached by interface.  0, or -1 with why for people.
 * route_prove does the second part for any address.
 */
int route_prove_socket(int fd, const char *interface, const char *local,
    char why[ROUTE_WHY]);
int route_prove(const char *address, const char *interface,
    char why[ROUTE_WHY]);

#endif
