/*
 * icount: the kernel's error counters of a UART since it was loaded.  They
 * wrap: take differences as unsigned numbers.
 */
#ifndef SERIAL_ICOUNT_H
#define SERIAL_ICOUNT_H

#include <stdint.h>

struct icount {
	uint32_t frame;		/* framing errors */
	uint32_t overrun;	/* the chip lost bytes */
	uint32_t parity;
	uint32_t brk;		/* BREAKs received */
	uint32_t buf_overrun;	/* the kernel lost bytes */
};

/* 0, or -1 with errno: ENOTTY where there are none. */
int icount_read(int fd, struct icount *);

#endif
