#include <linux/serial.h>

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "icount.h"

int
icount_read(int fd, struct icount *c)
{
	struct serial_icounter_struct k;

	memset(&k, 0, sizeof(k));
	if (ioctl(fd, TIOCGICOUNT, &k) == -1) {
		/* Drivers without counters say so in two ways. */
		if (errno == EINVAL)
			errno = ENOTTY;
		return -1;
	}
	c->frame = (uint32_t)k.frame;
	c->overrun = (uint32_t)k.overrun;
	c->parity = (uint32_t)k.parity;
	c->brk = (uint32_t)k.brk;
	c->buf_overrun = (uint32_t)k.buf_overrun;
	return 0;
}
