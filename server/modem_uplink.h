/*
 * modem_uplink: watches the site's own uplink (modem/uplink.h) by TCP
 * connections to the hosts of activation.watch, and brings the link up when it
 * is dead: once per outage, also when this process is restarted in between.
 *
 * A host that accepts or refuses (RST) has answered.  A question that would go,
 * or went, over PPP tells nothing of the uplink: the kernel's route to each
 * address is looked at before, the address of the connected socket after.
 *
 * At a time at most one connection per address of each of the 32 hosts; all
 * are given up with the round.
 */
#ifndef SERVER_MODEM_UPLINK_H
#define SERVER_MODEM_UPLINK_H

#include <jansson.h>

#include "../modem/uplink.h"
#include "modem_internal.h"

/* Who asked for a link that this brought up, as linkstate says it. */
#define MODEM_UPLINK_WHO "watch"

struct modem_uplink;

struct modem_uplink *modem_uplink_new(struct modem *);	/* never NULL */
void modem_uplink_free(struct modem_uplink *);

/* m->conf is there, or another one; after the link was configured. */
void modem_uplink_configure(struct modem_uplink *);

/* One line, as status shows it; "" when nothing is watched. */
#define MODEM_UPLINK_TEXT 400
char *modem_uplink_text(const struct modem_uplink *,
    char dst[MODEM_UPLINK_TEXT]);
/* The same for link status --json; null when nothing is watched. */
json_t *modem_uplink_json(const struct modem_uplink *);

#endif
