/*
 * modem_link: the link's life (modem/linkstate.h) with everything around it:
 * who asked, events in the journals, notices, status, the relays that follow
 * it, the file that outlives us, and the verb link.
 */
#ifndef SERVER_MODEM_LINK_H
#define SERVER_MODEM_LINK_H

#include "../modem/linkstate.h"
#include "config.h"
#include "feed.h"
#include "modem_way.h"

struct modem_link;

struct modem_link *modem_link_new(struct loop *, struct feed *);
void modem_link_free(struct modem_link *);	/* the link stays as it is */

/*
 * The configuration, at the start and after each reload; used until the next
 * one.  The first time a link is resumed that a predecessor held.
 */
void modem_link_configure(struct modem_link *, const struct config *);

/* A new link to the ssh process; fd is taken over. */
void modem_link_peer(struct modem_link *, int fd);

/* A new link to the notify process: see modem_way_notify. */
void modem_link_notify(struct modem_link *, int fd, modem_way_sms_fn *,
    void *arg);

/* So many are attached, some of them through a relay. */
void modem_link_attached(struct modem_link *, unsigned all,
    unsigned by_relay);

/* The verb link; answers through the feed, now. */
void modem_link_run(struct modem_link *, const struct feed_task *);

/*
 * What others ask for (an SMS, a drill): who and why as people would say it.
 * ms 0: as configured.
 */
enum linkstate_answer modem_link_up(struct modem_link *, int64_t ms,
    const char *who, const char *why);
enum linkstate_answer modem_link_extend(struct modem_link *, int64_t ms,
    const char *who);
enum linkstate_answer modem_link_down(struct modem_link *, const char *who);

/* One line about the link, as status shows it. */
#define MODEM_LINK_TEXT 400
char *modem_link_text(const struct modem_link *, char dst[MODEM_LINK_TEXT]);

/*
 * A duration that a person gave: as in the configuration (90s 30min 4h), a
 * bare number is minutes; 1 s to 30 days.  0, or -1.
 */
int modem_link_duration(const char *, int64_t *ms);

#endif
