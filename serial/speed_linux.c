#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <sys/ioctl.h>

#include "speed.h"

unsigned
speed_bits(unsigned cflag)
{
	return cflag & (CBAUD | CIBAUD);
}

int
speed_set(int fd, uint32_t bps)
{
	struct termios2 t;

	if (bps == 0) {
		errno = EINVAL;
		return -1;
	}
	if (ioctl(fd, TCGETS2, &t) == -1)
		return -1;
	t.c_cflag &= ~(tcflag_t)(CBAUD | CIBAUD);
	t.c_cflag |= BOTHER | ((tcflag_t)BOTHER << IBSHIFT);
	t.c_ospeed = bps;
	t.c_ispeed = bps;
	return ioctl(fd, TCSETS2, &t);
}

int
speed_get(int fd, uint32_t *bps)
{
	struct termios2 t;

	if (ioctl(fd, TCGETS2, &t) == -1)
		return -1;
	*bps = t.c_ospeed;
	return 0;
}
