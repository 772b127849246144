/*
 * modem_port: one of the simulated stick's serial ports: a pty, or a Unix
 * stream socket as QEMU's chardevs are.  What is sent while nobody has it
 * open is gone.
 */
#ifndef SIM_MODEM_PORT_H
#define SIM_MODEM_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../server/base/loop.h"

struct port;

#define PORT_QUEUE 131072	/* most bytes waiting to be sent */

struct port_conf {
	const char *link;	/* symbolic link to the pty, or NULL */
	const char *socket;	/* a socket in place of a pty, or NULL */
	bool connect;		/* the socket is another's, who listens */
};

struct port_ops {
	void (*input)(void *arg, const uint8_t *, size_t n);
	/* There is room again. */
	void (*drained)(void *arg);
	/* Nobody has it open any more: DTR is low. */
	void (*closed)(void *arg);
	/* A new pty of this name is there. */
	void (*plugged)(void *arg, const char *name);
};

/* Unplugged at first.  Never NULL.  The strings are not copied. */
struct port *port_new(struct loop *, const struct port_conf *,
    const struct port_ops *, void *arg);
/* Unplugs, too.  NULL is fine. */
void port_free(struct port *);

/* 0, or -1 after a message. */
int port_plug(struct port *);
/* closed is not called. */
void port_unplug(struct port *);

/* Queue bytes; what does not fit is lost, and counts. */
void port_put(struct port *, const void *, size_t);
size_t port_room(const struct port *);
uint64_t port_lost(const struct port *);

/* One byte per write(2), this far apart; 0 ends it. */
void port_dribble(struct port *, int64_t ms);

/* Leave what comes in the kernel, or take it again. */
void port_hold(struct port *, bool);

bool port_heard(const struct port *);
/* False: its speed was set to 0, as far as that can be seen. */
bool port_dtr(const struct port *);

#endif
