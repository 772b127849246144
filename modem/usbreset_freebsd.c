/*
 * The driver's sysctl node (dev.u3g.0) names the tty's unit and, in its
 * %location, the device: "... ugen=ugen0.3".  usbconfig(8) does the rest.
 */
#include <sys/types.h>
#include <sys/sysctl.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "usbreset.h"

#define UNITS_MAX 16

/* Drivers of modems that make ttys. */
static const char *const drivers[] = { "u3g", "umodem", "uftdi", "uslcom",
    "uplcom", "uchcom" };

static int
get_text(const char *driver, unsigned unit, const char *leaf, char *dst,
    size_t size)
{
	char name[64];
	size_t len = size - 1;

	snprintf(name, sizeof(name), "dev.%s.%u.%s", driver, unit, leaf);
	if (sysctlbyname(name, dst, &len, NULL, 0) == -1)
		return -1;
	dst[len] = '\0';
	return 0;
}

/* Does /dev/cuaU0.1 belong to unit "U0"? */
static int
is_of(const char *tty, const char *unit)
{
	size_t n = strlen(unit);

	if (strncmp(tty, "/dev/cua", 8) != 0 ||
	    strncmp(tty + 8, unit, n) != 0)
		return 0;
	return tty[8 + n] == '\0' || tty[8 + n] == '.';
}

/* "ugen0.3" out of a %location. */
static int
ugen_of(const char *location, char *dst, size_t size)
{
	const char *p = strstr(location, "ugen=");
	size_t n;

	if (p == NULL)
		return -1;
	p += 5;
	n = strcspn(p, " \t\n");
	if (n == 0 || n >= size)
		return -1;
	memcpy(dst, p, n);
	dst[n] = '\0';
	return 0;
}

int
usbreset(const char *tty)
{
	char unit[24], location[256], ugen[32];

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		for (unsigned u = 0; u < UNITS_MAX; u++) {
			if (get_text(drivers[i], u, "ttyname", unit,
			    sizeof(unit)) == -1 || !is_of(tty, unit) ||
			    get_text(drivers[i], u, "%location", location,
			    sizeof(location)) == -1 ||
			    ugen_of(location, ugen, sizeof(ugen)) == -1)
				continue;
			execl("/usr/sbin/usbconfig", "usbconfig", "-d", ugen,
			    "reset", (char *)NULL);
			return 3;
		}
	}
	return 1;
}

const char *
usbreset_text(int status)
{
	switch (status) {
	case 1:
		return "its tty is no USB device, or the system does not say "
		    "which";
	default:
		return "usbconfig refused; it needs write access to the "
		    "device in /dev/usb, which a devfs rule can give";
	}
}
