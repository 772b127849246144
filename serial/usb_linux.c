#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usb.h"

#define CLASS_TTY "/sys/class/tty"
#define DEPTH_MAX 16		/* folders between a tty and its USB device */

/* The first line of dir/name without its end.  0 or -1. */
static int
read_attr(const char *dir, const char *name, char *dst, size_t size)
{
	char path[PATH_MAX + 32];
	char *line;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	line = fgets(dst, (int)size, f);
	fclose(f);
	if (line == NULL)
		return -1;
	dst[strcspn(dst, "\n")] = '\0';
	return 0;
}

static int
read_hex(const char *dir, const char *name, unsigned *out)
{
	char text[16];

	if (read_attr(dir, name, text, sizeof(text)) == -1)
		return -1;
	*out = (unsigned)strtoul(text, NULL, 16) & 0xffff;
	return 0;
}

/*
 * The kernel keeps whoever reads a string of a device waiting that it is just
 * dealing with: for seconds, where that hangs.  No other device's is read.
 */
static bool
is_wanted(const struct usb_id *want, const struct usb_id *id)
{
	return want == NULL || (want->vid == id->vid && want->pid == id->pid &&
	    want->serial[0] != '\0');
}

/* From the tty's folder up to the USB device it belongs to; want: as far as
   it matters for that, NULL: all. */
static int
identify(const char *root, const char *tty, const struct usb_id *want,
    struct usb_id *id)
{
	char dir[PATH_MAX], link[PATH_MAX];
	unsigned n, vid, pid;
	char *slash;

	snprintf(link, sizeof(link), "%s%s/%s/device", root, CLASS_TTY, tty);
	if (realpath(link, dir) == NULL)
		return -1;
	memset(id, 0, sizeof(*id));
	id->iface = -1;
	for (n = 0; n < DEPTH_MAX; n++) {
		if (id->iface == -1 &&
		    read_hex(dir, "bInterfaceNumber", &vid) == 0)
			id->iface = (int)(vid & 0xff);
		if (read_hex(dir, "idVendor", &vid) == 0 &&
		    read_hex(dir, "idProduct", &pid) == 0) {
			id->vid = (uint16_t)vid;
			id->pid = (uint16_t)pid;
			if (!is_wanted(want, id) || read_attr(dir, "serial",
			    id->serial, sizeof(id->serial)) == -1)
				id->serial[0] = '\0';
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
usb_find(const char *root, const struct usb_id *want, char *path, size_t size,
    char *err, size_t errsize)
{
	struct usb_search search = { .want = want };
	char dir[PATH_MAX], tty[sizeof(search.path[0])];
	struct dirent *entry;
	struct usb_id id;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s%s", root, CLASS_TTY);
	d = opendir(dir);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    strlen(entry->d_name) > sizeof(tty) - sizeof("/dev/") ||
		    identify(root, entry->d_name, want, &id) == -1)
			continue;
		snprintf(tty, sizeof(tty), "/dev/%.50s", entry->d_name);
		usb_found(&search, tty, &id);
	}
	if (d != NULL)
		closedir(d);
	return usb_result(&search, path, size, err, errsize);
}

int
usb_describe(const char *root, const char *path, struct usb_id *id)
{
	if (strncmp(path, "/dev/", 5) != 0 || strchr(path + 5, '/') != NULL) {
		errno = ENODEV;
		return -1;
	}
	return identify(root, path + 5, NULL, id);
}
