/*
 * modem_link: the link's life (modem/linkstate.h) with everything around it:
 * who asked, events in the journals, notices, status, the relays that follow
 * it, the file that outlives us, and the verb link.
 */
#ifndef SERVER_MODEM_LINK_H
#define SERVER_MODEM_LINK_H

#include "../modem/linkstate.h"
#include "modem_internal.h"
#include "modem_way.h"
#include "modem_why.h"

struct modem_link;

struct modem_link *modem_link_new(struct modem *);
void modem_link_free(struct modem_link *);	/* the link stays as it is */

/*
 * m->conf is there, or another one (the old one is valid meanwhile).  The
 * first time a link is resumed that a predecessor held.
 */
void modem_link_configure(struct modem_link *);

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


/* How the link that is asked for next comes up; forgotten when it is idle. */
struct modem_link_how {
	bool force;		/* although the budget is used up */
	bool existing;		/* not by the modem */
};
void modem_link_how(struct modem_link *, const struct modem_link_how *);
/* A reason not to ask for it now ("E-QUOTA: ..."), "" for none. */
char *modem_link_refuses(struct modem_link *, bool force,
    char why[MODEM_WHY]);

void modem_link_look(const struct modem_link *, struct linkstate_look *);
/* Who waited for modem_sms_report need not any more. */
void modem_link_reported(struct modem_link *);

/* The last failure since the link was asked for, or before that. */
struct modem_link_failure {
	char name[MODEM_WHY_NAME];	/* "E-REG"; "": none yet */
	char text[MODEM_WHY];		/* with the name in front */
	struct mono at;
};
const struct modem_link_failure *modem_link_failed(const struct modem_link *);

/* The relay that is through, else the first that follows: "cloud proven". */
char *modem_link_relay(const struct modem_link *, char *dst, size_t);

/* One line about the link, as status shows it. */
#define MODEM_LINK_TEXT 400
char *modem_link_text(const struct modem_link *, char dst[MODEM_LINK_TEXT]);

/*
 * A duration that a person gave: as in the configuration (90s 30min 4h), a
 * bare number is minutes; 1 s to 30 days.  0, or -1.
 */
int modem_link_duration(const char *, int64_t *ms);

#endif
