/*
 * What sp_open does to a line, and why it is not let near one that is not
 * prepared (libserialport 0.1.1 and 0.1.2):
 *
 * - It reads DTR and RTS (TIOCMGET) and then writes back what it read
 *   (TIOCMBIS or TIOCMBIC for each).  A driver that does not report its own
 *   outputs would have them dropped.
 * - It makes the tty raw only after several requests, each of which can take
 *   a millisecond on a USB adapter; up to then a fresh tty echoes what the
 *   device prints back into the device.
 * - 0.1.1 turns HUPCL on (0.1.2 off); both turn PARMRK off, and IGNPAR on in
 *   some cases.
 * - sp_close only gives up TIOCEXCL and closes; sp_free_port does not close.
 *   So: take the handle, free the port, and own the descriptor.
 *
 * Hence port.c opens the device itself, makes it raw, raises DTR and RTS,
 * and only then calls here; while that first descriptor is open, nothing that
 * happens to the second one is a last close.  It sets all flags again as soon
 * as sp_open is done.
 */
#include <sys/ioctl.h>

#include <fcntl.h>
#include <libserialport.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "uart.h"

bool
uart_knows(const char *path)
{
	struct sp_port *port;

	if (sp_get_port_by_name(path, &port) != SP_OK)
		return false;
	sp_free_port(port);
	return true;
}

/* A driver that hides its outputs must not be given to libserialport. */
static bool
shows_outputs(int fd)
{
	int bits;

	return ioctl(fd, TIOCMGET, &bits) == 0 &&
	    (bits & (TIOCM_DTR | TIOCM_RTS)) == (TIOCM_DTR | TIOCM_RTS);
}

static void
last_error(const char *path, enum sp_return ret, char *why, size_t size)
{
	char *text;

	if (ret != SP_ERR_FAIL) {
		snprintf(why, size, "%s: libserialport does not support it",
		    path);
		return;
	}
	text = sp_last_error_message();
	snprintf(why, size, "%s: libserialport: %s", path,
	    text == NULL ? "failed" : text);
	sp_free_error_message(text);
}

int
uart_open(const char *path, int fd, char *why, size_t size)
{
	struct sp_port *port;
	enum sp_return ret;
	int handle = -1;

	if (!shows_outputs(fd)) {
		snprintf(why, size, "%s: its driver does not report DTR and "
		    "RTS, and libserialport would drop them", path);
		return -1;
	}
	ret = sp_get_port_by_name(path, &port);
	if (ret != SP_OK) {
		last_error(path, ret, why, size);
		return -1;
	}
	ret = sp_open(port, SP_MODE_READ_WRITE);
	if (ret == SP_OK)
		ret = sp_get_port_handle(port, &handle);
	if (ret != SP_OK) {
		last_error(path, ret, why, size);
		handle = -1;
	}
	sp_free_port(port);
	/* 0.1.1 leaves it open to programs that we start. */
	if (handle != -1)
		fcntl(handle, F_SETFD, FD_CLOEXEC);
	return handle;
}
