/*
 * uart: real serial ports, through libserialport.
 */
#ifndef SERIAL_UART_H
#define SERIAL_UART_H

#include <stdbool.h>
#include <stddef.h>

/* Does libserialport know this device (links resolved)? */
bool uart_knows(const char *path);

/*
 * A second descriptor of a device that is already open (fd), set up and has
 * DTR and RTS up.  That order matters, see uart.c.  -1 with why when
 * libserialport will not have it, or would disturb the line: then go on with
 * fd.  The result is an ordinary descriptor; libserialport is done with it.
 */
int uart_open(const char *path, int fd, char *why, size_t size);

#endif
