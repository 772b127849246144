/*
 * port: a console's tty, whatever kind it is.
 *
 * port_open runs in a short-lived process that may block in the kernel; the
 * descriptor it makes is passed to the supervisor, which holds it (and with it
 * the lock), and a copy goes to the console process.  Everything else here
 * takes the bare descriptor, blocks never, and may be called by whoever holds
 * a copy.
 *
 * What nothing here ever does: send a BREAK unasked, or let DTR or RTS fall.
 * HUPCL is off from the moment after the open, so closing, crashing and
 * re-opening leave the lines as they are.
 */
#ifndef SERIAL_PORT_H
#define SERIAL_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"

#define PORT_PATH 256
#define PORT_USB 96
#define PORT_ERROR 256		/* enough for every error text here */

/* The value travels in frames: do not renumber. */
enum port_kind {
	PORT_UART = 1,	/* has modem lines and BREAK; input marked (parmrk.h) */
	PORT_TTY = 2,	/* pty and the like: plain bytes both ways */
};

struct port_opened {
	int fd;				/* non-blocking, close-on-exec */
	enum port_kind kind;
	char path[PORT_PATH];		/* what was opened, links resolved */
	char usb[PORT_USB];		/* "0403:6001:A50285BI:0", or "" */
	char warning[PORT_ERROR];	/* opened, but (log this), or "" */
};

/*
 * Resolve, lock, open and set up a device: a path or
 * "usb:VID:PID[:SERIAL][:IF]".  The caller's parent is the one that will hold
 * it (a lock file names that process).  0, or -1 with err, one line that names
 * the device and the remedy, and errno:
 *	ENOENT, ENODEV, ENXIO	not there (yet): wait for hotplug.h
 *	EBUSY			held by another program, named with its pid
 *				where that can be known
 *	EACCES			not ours to open
 *	EEXIST			the usb: text fits more than one device
 *	others			as the system says
 * May block for as long as a driver pleases.
 */
int port_open(const char *device, const struct line *,
    struct port_opened *out, char *err, size_t errsize);

/*
 * Is there something to try port_open on?  Cheap: looks, does not open, does
 * not block.  Ask before starting a process to open it.
 */
bool port_present(const char *device);

/*
 * Set a line that is open.  Safe to repeat: what is set already is not set
 * again.  0: done.  1: done, but the driver took something else (port_check
 * says what).  -1 with errno.
 */
int port_apply(int fd, enum port_kind, const struct line *);

/* What the driver does against what it should: 0, or 1 with err. */
int port_check(int fd, enum port_kind, const struct line *, char *err,
    size_t errsize);

/*
 * Start or end a BREAK; the caller does the timing.  0, or -1 with errno:
 * ENOTTY, this line cannot send one.  Whoever takes over a descriptor from a
 * process that was killed must end a BREAK that it may have left on.
 */
int port_break(int fd, bool on);

/*
 * Done with a line: what it did not yet send is thrown away first, so that
 * the close cannot wait for a peer that has stopped us; it is done aside
 * (base/aside.h).  DTR and RTS stay.
 * Only the last copy's close matters; the holder calls port_unlock, too.
 */
void port_close(int fd);

/*
 * The holder gives back the lock of a line it closed.  Where locks live on
 * the descriptor this does nothing.  path: as in struct port_opened.
 */
void port_unlock(const char *path);

/* "uart" or "tty". */
const char *port_kind_text(enum port_kind);

#endif
