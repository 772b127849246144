/*
 * tty: a terminal device through termios alone.  It drives what libserialport
 * refuses (ptys, the consoles of some virtual machines), and it is what sets
 * every flag on a UART, too.
 */
#ifndef SERIAL_TTY_H
#define SERIAL_TTY_H

#include <stdbool.h>
#include <stddef.h>

#include "line.h"

/*
 * Open without waiting, without becoming its session's terminal.  The new
 * descriptor, or -1 with errno and err (as port_open).  Nothing is set yet.
 */
int tty_open(const char *path, char *err, size_t errsize);

/* Has it modem lines that can be read back? */
bool tty_has_lines(int fd);

/* DTR (and RTS, where the driver does not use it for flow) up, if they are
   not.  0 or -1 with errno. */
int tty_assert(int fd, const struct line *);

/*
 * Raw, 8-bit clean, HUPCL off, then speed, mode and flow.  uart: mark breaks
 * and errors.  0, or -1 with errno.
 */
int tty_apply(int fd, bool uart, const struct line *);

/* Compare with what the driver took.  0, or 1 with err. */
int tty_check(int fd, bool uart, const struct line *, char *err,
    size_t errsize);

#endif
