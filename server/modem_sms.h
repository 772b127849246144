/*
 * modem_sms: short messages of the modem process: what comes in acts
 * (modem/activation.h), what goes out is queued (modem/outbox.h), and the verb
 * sms send.
 */
#ifndef SERVER_MODEM_SMS_H
#define SERVER_MODEM_SMS_H

#include <stdbool.h>
#include <stdint.h>

#include "../modem/linkstate.h"
#include "../modem/outbox.h"
#include "feed.h"
#include "modem_internal.h"

/*
 * Of this modem process, whose other parts exist by then (sms is made last
 * and freed first).  It does nothing before modem_sms_configure.  Never NULL.
 */
struct modem_sms *modem_sms_new(struct modem *);
void modem_sms_free(struct modem_sms *);	/* NULL is fine */

/* m->conf is there, or another one; the old one is still valid meanwhile. */
void modem_sms_configure(struct modem_sms *);

/*
 * The device whose queue (device_queue) carries messages from now on; NULL:
 * there is none, and the old one, which is about to be freed, must not be
 * touched any more.
 */
void modem_sms_device(struct modem_sms *, struct device *);
/*
 * device_serves is so.  To be called at every change of the device: that it
 * is registered, which sending needs, changes without this.
 */
void modem_sms_ready(struct modem_sms *, bool serves);

/*
 * The link's state changed (modem_link_look tells it).  From within: no
 * modem_link_up, _extend, _down; later is fine.
 */
void modem_sms_link(struct modem_sms *, enum linkstate_at from);

/*
 * The link ended for this reason, after having moved so many bytes: tell the
 * owner.  True: nothing to send.  False: modem_link_reported(m->link) follows,
 * within 60 s whatever happens (the link can be asked for meanwhile).
 */
bool modem_sms_report(struct modem_sms *, const char *why, uint64_t received,
    uint64_t sent);

/*
 * Queue a text for a number, within the caps.  0; or -1 with why: what is
 * wrong and what can be done.  Its end is journalled.
 */
int modem_sms_send(struct modem_sms *, const char *number, const char *text,
    uint32_t *id, char why[OUTBOX_WHY]);

/* The same for the notify process: a modem_way_sms_fn; arg is the sms. */
enum nt_sms modem_sms_notify(void *arg, const char *number, const char *text,
    char *why, size_t size);

/* The verb sms send; answers by feed_told and feed_done, now or later. */
void modem_sms_run(struct modem_sms *, const struct feed_task *);
void modem_sms_task_gone(struct modem_sms *, uint32_t task);

#endif
