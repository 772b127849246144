/*
 * modemlines: what the kernel says of a serial line, on one line of output.
 *
 *	modemlines /dev/ttyUSB0
 *	dtr=1 rts=1 hupcl=0 brk=0 frame=0 parity=0 overrun=0
 */
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct serial_icounter_struct c = { 0 };
	struct termios t;
	int fd, bits = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: modemlines TTY\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd == -1 || ioctl(fd, TIOCMGET, &bits) == -1 ||
	    tcgetattr(fd, &t) == -1) {
		perror(argv[1]);
		return 1;
	}
	ioctl(fd, TIOCGICOUNT, &c);
	printf("dtr=%d rts=%d hupcl=%d brk=%d frame=%d parity=%d overrun=%d\n",
	    (bits & TIOCM_DTR) != 0, (bits & TIOCM_RTS) != 0,
	    (t.c_cflag & HUPCL) != 0, c.brk, c.frame, c.parity, c.overrun);
	close(fd);
	return 0;
}
