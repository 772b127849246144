/*
 * modem_way: the modem process's end of its link to the ssh process: which way
 * the relays that follow the link may use, and where each relay stands.  What
 * was set is said again to a new ssh process.
 */
#ifndef SERVER_MODEM_WAY_H
#define SERVER_MODEM_WAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "config.h"
#include "proto.h"

#define MODEM_RELAY_FAILURE 32
#define MODEM_RELAY_TEXT 512

struct modem_way;

/* A relay as the ssh process sees it. */
struct modem_relay {
	char name[33];
	bool always;
	enum way_relay state;
	char failure[MODEM_RELAY_FAILURE];	/* "E-RELAY", or "" */
	char text[MODEM_RELAY_TEXT];		/* for people, or "" */
	unsigned failed;			/* in a row */
};

struct modem_way_ops {
	/* A relay's state did, or the ssh process went away (all unknown). */
	void (*changed)(void *arg);
	/* A relay is about to be reached there, over PPP. */
	void (*route)(void *arg, const char *address);
	/* The answer to modem_way_drill. */
	void (*drilled)(void *arg, uint32_t id, enum way_drill,
	    uint64_t bytes, const char *text);
};

struct modem_way *modem_way_new(struct loop *, const struct modem_way_ops *,
    void *arg);
void modem_way_free(struct modem_way *);	/* NULL is fine */

/* A new link to the ssh process; fd is taken over. */
void modem_way_link(struct modem_way *, int fd);

/*
 * A new link to the notify process, which is told the way, too; fd is taken
 * over.  sms (or NULL: there is no modem): it asks for an SMS to be sent; the
 * answer at once, with words for people in why.
 */
typedef enum nt_sms modem_way_sms_fn(void *arg, const char *number,
    const char *text, char *why, size_t size);
void modem_way_notify(struct modem_way *, int fd, modem_way_sms_fn *sms,
    void *arg);

/* The way that there is now; strings are copied, NULL is "". */
struct modem_way_is {
	enum way way;
	const char *interface, *local;
	const char *dns;		/* name servers, "a,b" */
};
void modem_way_set(struct modem_way *, const struct modem_way_is *);
/* It leads where it should.  Until then PPP is none for the notify process. */
void modem_way_proven(struct modem_way *);
enum way modem_way_now(const struct modem_way *);

/* Have the ssh process log in through this relay; lost when it is not there. */
void modem_way_drill(struct modem_way *, uint32_t id, const char *relay);

/* What the ssh process said of this relay, NULL: nothing yet. */
const struct modem_relay *modem_way_relay(const struct modem_way *,
    const char *name);

/* "off", "trying", ...; "existing uplink", "PPP", "nothing". */
const char *modem_way_relay_text(enum way_relay);
const char *modem_way_text(enum way);

#endif
