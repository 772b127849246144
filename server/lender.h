/*
 * lender: opens the modem's ports for the modem process: a device may hang in
 * the kernel when it is opened, so a short-lived process does it, and the
 * descriptor goes on to the modem process at once.  Nothing stays open here:
 * a port that is held while the stick vanishes would come back under another
 * name.
 */
#ifndef SERVER_LENDER_H
#define SERVER_LENDER_H

#include <stdint.h>

#include "base/link.h"
#include "children.h"
#include "config.h"

#define LENDER_MAX 8		/* ports being opened at a time */

struct lender;

/* modem: the link to the modem process now, or NULL. */
struct lender *lender_new(struct loop *, struct children *,
    struct link *(*modem)(void *arg), void *arg);
void lender_free(struct lender *);		/* NULL is fine */

/*
 * Open device for this request; SV_PORT or SV_PORT_FAILED follows, the latter
 * also when the modem of this configuration has no such port.
 */
void lender_open(struct lender *, const struct config_modem *,
    uint32_t request, const char *device);

/* The modem process ended: nobody waits, its ports are free. */
void lender_forget(struct lender *);

#endif
