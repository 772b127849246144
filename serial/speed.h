/*
 * speed: any bit rate.  POSIX only knows a list of rates; how to set others
 * differs between systems.
 */
#ifndef SERIAL_SPEED_H
#define SERIAL_SPEED_H

#include <stdint.h>

/*
 * <termios.h> must not come in here: the Linux file needs the kernel's own.
 * A tcflag_t is unsigned int on both systems.
 */

/* The bits of c_cflag that hold the rate: all others may be set afresh. */
unsigned speed_bits(unsigned cflag);

/* Both directions.  0, or -1 with errno.  bps: never 0, that would hang up. */
int speed_set(int fd, uint32_t bps);

/* What the driver really does, output direction.  0, or -1 with errno. */
int speed_get(int fd, uint32_t *bps);

#endif
