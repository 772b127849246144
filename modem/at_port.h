/*
 * at_port: the bytes of one AT port on a loop: a tty, a pty or a socket.  It
 * blocks never, its queue out is bounded, and a port that is gone (EIO,
 * hang-up, end of file) is closed at once, before anybody is told: while an
 * old descriptor is open the kernel gives a re-plugged modem other names.
 */
#ifndef MODEM_AT_PORT_H
#define MODEM_AT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/loop.h"

#define AT_PORT_OUT_MAX 8192	/* bytes queued; a command has at most 1025 */

struct at_port;

struct at_port_ops {
	void (*input)(void *arg, const uint8_t *, size_t);
	/* Closed; at_port_free is still the owner's to call. */
	void (*gone)(void *arg, const char *why);
};

/*
 * Take over fd: made non-blocking, raw when it is a terminal (what it held is
 * kept).  Everything may be called from inside any callback.  Never NULL.
 */
struct at_port *at_port_new(struct loop *, int fd, const struct at_port_ops *,
    void *arg);

/* Close; what was not yet sent is thrown away.  NULL is fine. */
void at_port_free(struct at_port *);

/*
 * Free without closing: the descriptor, or -1 when it is gone.  No byte is
 * read any more, from within ops.input not even one already there.
 */
int at_port_release(struct at_port *);

/* Queue all of it.  0, or -1: it does not fit, or the port is gone. */
int at_port_write(struct at_port *, const void *, size_t);

/* Read byte by byte: nothing beyond what ends a line is taken. */
void at_port_slow(struct at_port *, bool);

int at_port_fd(const struct at_port *);		/* -1: gone */

/*
 * Raw, 8 bits, CLOCAL, HUPCL off, no flow control.  PPP leaves lines in all
 * states.  0 (also when it is no terminal) or -1 with errno.
 */
int at_port_raw(int fd);

#endif
