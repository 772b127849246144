/*
 * privileged: what a child may ask of the supervisor, as one table: which
 * role, which request.  Anything else, or a malformed one, ends the asker.
 */
#ifndef SERVER_PRIVILEGED_H
#define SERVER_PRIVILEGED_H

#include "../serial/seal.h"
#include "base/frame.h"
#include "children.h"
#include "config.h"
#include "dialers.h"
#include "keeper.h"
#include "lender.h"
#include "power.h"
#include "ppprun.h"

#define READERS_MAX 256		/* at a time: a process each */
#define PRIVILEGED_REQUESTS 24	/* rows of the table, at most */

struct privileged {
	struct children *children;
	struct keeper *keeper;
	struct lender *lender;
	struct dialers *dialers;
	struct ppprun *ppp;
	struct power *power;
	const struct config *conf;
	unsigned readers, signers, gates, sinks;	/* that run */
	uint8_t *vouchers;		/* key of those of this ssh process
					   (secret.h); NULL: there are none */
	bool met;			/* this ssh process: it has been ready */
	bool drop;			/* children are another user: this */
	uid_t uid;
	void (*ready)(void *arg, struct child *);
	struct link *(*console)(void *arg);	/* NULL while there is none */
	void *arg;
	/* Of each row, by the process that is there now. */
	uint32_t last[PRIVILEGED_REQUESTS];	/* number that it gave */
	unsigned owed[PRIVILEGED_REQUESTS];	/* answers to SV_READY */
	uint64_t seal;				/* signed last */
	char seal_hash[SEAL_HASH];		/* "": none was */
};

/* A new process in this role: it begins anew. */
void privileged_forget(struct privileged *, const struct child *);
/* It was given SV_READY, and may answer once. */
void privileged_owes_ready(struct privileged *, const struct child *);

/*
 * As link_frame_fn: 0, or -1, which is the asker's end, when the request is
 * not in the table, malformed, or not its turn: a number that is not above
 * the last one, an answer that nobody waits for, an older seal or another by
 * the same number.  Nothing is done then.  What may be asked again at any time
 * is no replay, and what only a reload can have made wrong, or is one too many
 * at a time, is answered by a no.
 */
int privileged_request(struct privileged *, struct child *, struct frame *,
    int fd);

/* A new ssh process: no voucher of an earlier one is good any more. */
void privileged_new_vouchers(struct privileged *);
/* SV_VOUCHERS to the console process, if that is there. */
void privileged_give_vouchers(const struct privileged *);

/* SV_KEY of this path, queued. */
void privileged_give_key(const struct privileged *, struct link *to,
    const char *path);

#endif
