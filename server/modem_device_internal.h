/* What modem_device.c and modem_device_verb.c share; nobody else. */
#ifndef SERVER_MODEM_DEVICE_INTERNAL_H
#define SERVER_MODEM_DEVICE_INTERNAL_H

#include "modem_device.h"

struct modem_device {
	struct modem *m;
	struct device *device;		/* NULL: none */
	char *made_of;			/* what device was made of */
	bool stale;			/* configured anew while it was lent */
	char shown[MODEM_DEVICE_TEXT];	/* in status */
	char problem[DEVICE_WHY];	/* the last event that was one */
	struct mono problem_at;
};

/* The PIN as it is in the file now, put into the device. */
void modem_device_read_pin(struct modem_device *);

#endif
