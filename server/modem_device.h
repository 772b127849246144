/*
 * modem_device: the modem (modem/device.h) of the configuration: its ports by
 * way of the supervisor, its PIN, its events and its place in status, and the
 * verb modem.
 */
#ifndef SERVER_MODEM_DEVICE_H
#define SERVER_MODEM_DEVICE_H

#include "../modem/device.h"
#include "modem_internal.h"

struct modem_device;

struct modem_device *modem_device_new(struct modem *);	/* never NULL */
void modem_device_free(struct modem_device *);

/*
 * m->conf is there, or another one.  The device is made anew when its ports
 * changed; while it is lent to PPP that waits until modem_device_settle.
 */
void modem_device_configure(struct modem_device *);
void modem_device_settle(struct modem_device *);

/* NULL: there is none.  Do not keep it. */
struct device *modem_device_get(const struct modem_device *);

/* What the supervisor says.  fd is taken. */
void modem_device_port(struct modem_device *, uint32_t request, int fd,
    const char *path);
void modem_device_port_failed(struct modem_device *, uint32_t request,
    const char *why);
void modem_device_powered(struct modem_device *, bool done, const char *text);

/* The verb modem; answers through the feed, now. */
void modem_device_run(struct modem_device *, const struct feed_task *);

/* A line for status. */
#define MODEM_DEVICE_TEXT 400
char *modem_device_text(const struct modem_device *,
    char dst[MODEM_DEVICE_TEXT]);

#endif
