#include <sys/ioctl.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "usbreset.h"

#define DEPTH_MAX 16		/* folders between a tty and its USB device */

static int
read_number(const char *dir, const char *name, unsigned *out)
{
	char path[PATH_MAX + 16];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	n = fscanf(f, "%u", out);
	fclose(f);
	return n == 1 ? 0 : -1;
}

/* The node in /dev/bus/usb of the device that this tty is part of. */
static int
find_node(const char *tty, char *node, size_t size)
{
	char real[PATH_MAX], link[PATH_MAX + 32], dir[PATH_MAX];
	unsigned bus, dev;
	char *slash;

	if (realpath(tty, real) == NULL)
		return -1;
	slash = strrchr(real, '/');
	snprintf(link, sizeof(link), "/sys/class/tty/%s/device", slash + 1);
	if (realpath(link, dir) == NULL)
		return -1;
	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		if (read_number(dir, "busnum", &bus) == 0 &&
		    read_number(dir, "devnum", &dev) == 0) {
			snprintf(node, size, "/dev/bus/usb/%03u/%03u", bus,
			    dev);
			return 0;
		}
		slash = strrchr(dir, '/');
		if (slash == NULL || slash == dir)
			break;
		*slash = '\0';
	}
	return -1;
}

int
usbreset(const char *tty)
{
	char node[64];
	int fd, r;

	if (find_node(tty, node, sizeof(node)) == -1)
		return 1;
	fd = open(node, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return errno == EACCES || errno == EPERM ? 2 : 3;
	r = ioctl(fd, USBDEVFS_RESET, 0);
	/* Other descriptors behind it, as of a stick that is a disk first:
	   it is enumerated anew, which is as good. */
	if (r == -1 && errno == ENODEV)
		r = 0;
	close(fd);
	return r == -1 ? 3 : 0;
}

const char *
usbreset_text(int status)
{
	switch (status) {
	case 1:
		return "its tty is no USB device";
	case 2:
		return "this user may not write to its node in /dev/bus/usb; "
		    "a udev rule can allow that";
	default:
		return "the kernel refused";
	}
}
