#include <stdio.h>
#include <unistd.h>

#include "../modem/usbreset.h"
#include "../serial/port.h"
#include "../serial/usb.h"
#include "base/log.h"
#include "sandbox.h"
#include "usbjob.h"

#define NOT_THERE 1		/* as usbreset says */

static int
find(const char *device, char path[PORT_PATH])
{
	char err[PORT_ERROR];
	struct usb_id want;
	int n;

	if (usb_is_spec(device))
		return usb_parse(&want, device) == 0 ? usb_find("", &want,
		    path, PORT_PATH, err, sizeof(err)) : -1;
	n = snprintf(path, PORT_PATH, "%s", device);
	return n < PORT_PATH && access(path, F_OK) == 0 ? 0 : -1;
}

int
usbjob_main(int fd, int argc, char *const argv[])
{
	char path[PORT_PATH];

	sandbox_enter("usb", "", "", NULL);
	/* It may become usbconfig(8), whose words are for nobody. */
	if (dup2(fd, 0) == -1 || dup2(fd, 1) == -1)
		return NOT_THERE;
	close(fd);
	for (int i = 0; i < argc; i++) {
		if (find(argv[i], path) == -1)
			continue;
		log_info("resetting the USB device of %s", path);
		return usbreset(path);
	}
	return NOT_THERE;
}
