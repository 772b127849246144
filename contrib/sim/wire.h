/*
 * wire: the simulated box's end of a serial line.  The other end is a pty's
 * slave side, reached by its name or by a symbolic link.  Bytes leave at the
 * line's pace in pieces of 16, as from a UART's FIFO, and arrive at that pace.
 *
 * As on a real line nobody is waited for: what is sent while nobody has the
 * slave side open is gone, and so is what the kernel's buffer cannot take.
 * Without pace (speed 0) a reader is waited for, so that nothing is lost.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../server/base/loop.h"

struct wire;

#define WIRE_QUEUE 16384	/* most bytes waiting to be sent */

struct wire_conf {
	uint32_t speed;		/* bit/s at 10 bits a byte; 0: no pace */
	const char *link;	/* symbolic link to keep, or NULL */
	const char *record;	/* file to append every sent byte to, or NULL */
	const char *typed;	/* file to append every received byte to */
};

struct wire_ops {
	/* Bytes came in. */
	void (*input)(void *arg, const uint8_t *, size_t n);
	/* The queue is nearly empty: more may be put. */
	void (*drained)(void *arg);
	/* A new pty of this name is there. */
	void (*plugged)(void *arg, const char *name);
	/* Somebody opened it. */
	void (*opened)(void *arg);
	/* Nobody has it open any more.  NULL is fine. */
	void (*closed)(void *arg);
};

struct wire_stat {
	uint64_t sent;		/* bytes the kernel took for a listener */
	uint64_t dropped;	/* bytes with nobody there, or overrun */
	uint64_t received;
	bool plugged;
	bool heard;		/* somebody has the slave side open */
};

/* Unplugged at first.  NULL after a message.  The strings are not copied. */
struct wire *wire_new(struct loop *, const struct wire_conf *,
    const struct wire_ops *, void *arg);
/* Unplugs, too.  NULL is fine. */
void wire_free(struct wire *);

/* A new pty, and the link to it.  0, or -1 after a message. */
int wire_plug(struct wire *);
/* The pty goes: its readers see an error; the link is removed. */
void wire_unplug(struct wire *);

/* Leave what is typed in the kernel, or take it again. */
void wire_hold(struct wire *, bool);

/* Queue bytes; what does not fit counts as dropped. */
void wire_put(struct wire *, const void *, size_t);
size_t wire_room(const struct wire *);
/* Forget what is queued, as a tty does on an interrupt key. */
void wire_discard(struct wire *);

/* False: whoever has it open set the speed to 0, which drops DTR. */
bool wire_dtr(const struct wire *);

void wire_stat(const struct wire *, struct wire_stat *);

#endif
