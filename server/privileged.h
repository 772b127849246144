/*
 * privileged: what a child may ask of the supervisor, as one table: which
 * role, which request.  Anything else, or a malformed one, ends the asker.
 */
#ifndef SERVER_PRIVILEGED_H
#define SERVER_PRIVILEGED_H

#include "base/frame.h"
#include "children.h"
#include "config.h"
#include "keeper.h"
#include "lender.h"
#include "power.h"
#include "ppprun.h"

struct privileged {
	struct children *children;
	struct keeper *keeper;
	struct lender *lender;
	struct ppprun *ppp;
	struct power *power;
	const struct config *conf;
	unsigned gates, sinks;		/* that run */
	bool drop;			/* children are another user: this */
	uid_t uid;
	void (*ready)(void *arg, struct child *);
	void *arg;
};

/* As link_frame_fn: 0, or -1 when the request is not in the table or bad. */
int privileged_request(struct privileged *, struct child *, struct frame *,
    int fd);

/* SV_KEY of this path, queued. */
void privileged_give_key(const struct privileged *, struct link *to,
    const char *path);

#endif
