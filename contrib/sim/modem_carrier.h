/*
 * modem_carrier: what is behind a dialled connection: a program on a pty
 * (slirp), or one of the simulator's own networks.
 */
#ifndef SIM_MODEM_CARRIER_H
#define SIM_MODEM_CARRIER_H

#include <stddef.h>
#include <stdint.h>

#include "../../server/base/loop.h"

enum carrier_kind {
	CARRIER_COMMAND,	/* the program */
	CARRIER_SILENT,		/* never says a word */
	CARRIER_DEAD,		/* PPP comes up, no packet arrives anywhere */
	CARRIER_PORTAL,		/* every TCP connection gets a web page */
	CARRIER_STUCK,		/* PPP never gets an address */
	CARRIER_REFUSE,		/* PPP asks for a password and refuses it */
};

#define CARRIER_KINDS 6

/* "command", "silent", "dead", "portal", "stuck", "refuse". */
const char *carrier_kind_text(enum carrier_kind);

struct carrier;

struct carrier_ops {
	/* Bytes for the caller, at most as many as there is room for. */
	void (*output)(void *arg, const uint8_t *, size_t n);
	size_t (*room)(void *arg);
	/* It cannot take more now; it can again. */
	void (*full)(void *arg, bool);
	/* It hung up; it is stopped already. */
	void (*ended)(void *arg);
};

/* command may be NULL.  Not copied. */
struct carrier *carrier_new(struct loop *, const char *command,
    const struct carrier_ops *, void *arg);
void carrier_free(struct carrier *);		/* NULL is fine */

/* 0, or -1 after a message.  It must be stopped. */
int carrier_start(struct carrier *, enum carrier_kind);
/* Hang up; ended is not called. */
void carrier_stop(struct carrier *);

void carrier_input(struct carrier *, const uint8_t *, size_t n);
/* There is room again. */
void carrier_more(struct carrier *);

#endif
