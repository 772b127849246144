/*
 * listen: our own listening TCP sockets, for addresses as they stand in the
 * configuration: "127.0.0.1:2222", "[::1]:2222".  Numeric only, so nothing
 * here ever waits for a name server.
 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>
#include <sys/socket.h>

#define LISTEN_BACKLOG 128

/*
 * Parse an address.  0 with *sa and *len filled, or -1: not "ADDRESS:PORT"
 * or "[ADDRESS]:PORT" with a port from 1 to 65535.
 */
int listen_parse(const char *text, struct sockaddr_storage *sa,
    socklen_t *len);

/*
 * A socket that listens there: non-blocking, close-on-exec, IPv6 ones for
 * IPv6 only.  -1 with the reason in why, naming the address and a remedy.
 */
int listen_open(const char *text, char *why, size_t size);

/* "192.0.2.7", "2001:db8::7", or "local" for what has no such address. */
#define LISTEN_TEXT 64
char *listen_address_text(char dst[LISTEN_TEXT], const struct sockaddr *);

#endif
