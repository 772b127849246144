#include <errno.h>
#include <termios.h>

#include "speed.h"

unsigned
speed_bits(unsigned cflag)
{
	(void)cflag;
	return 0;
}

int
speed_set(int fd, uint32_t bps)
{
	struct termios t;

	if (bps == 0) {
		errno = EINVAL;
		return -1;
	}
	if (tcgetattr(fd, &t) == -1)
		return -1;
	/* A speed_t is the number itself here. */
	if (cfsetispeed(&t, bps) == -1 || cfsetospeed(&t, bps) == -1)
		return -1;
	return tcsetattr(fd, TCSANOW, &t);
}

int
speed_get(int fd, uint32_t *bps)
{
	struct termios t;

	if (tcgetattr(fd, &t) == -1)
		return -1;
	*bps = (uint32_t)cfgetospeed(&t);
	return 0;
}
