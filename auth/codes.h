/*
 * codes: the admins' one-time codes, one secret per admin in a folder
 * (state_dir/codes), which the daemon and the local tools share: every call
 * locks the folder, reads what it needs and wipes it again, so that no secret
 * stays in memory and nobody works on old counters.
 *
 * A code works once: its counter, and with it every earlier code, is spent on
 * the disk before codes_take says yes.  A code that belongs to two admins at
 * once (one in millions) is nobody's; its owner sends the next.
 *
 * Nothing here logs a code or a secret.  Bound: CODES_MAX admins.
 */
#ifndef AUTH_CODES_H
#define AUTH_CODES_H

#include "codes_file.h"

#define CODES_AHEAD 20		/* codes that may have been passed over */
#define CODES_BEHIND 20		/* used ones that are told from wrong ones */
#define CODES_NARROW 2		/* passed over at most while guessed at */
#define CODES_RESYNC 200
#define CODES_LATE 20		/* steps that a time-based code may be old */
#define CODES_EARLY 2		/* or ahead of our clock */

struct codes;

enum codes_verdict {
	CODES_GOOD,
	CODES_WRONG,
	CODES_USED,		/* was good once, or was passed over */
	CODES_FAR,		/* good, but too far ahead; see narrow */
	CODES_NONE,		/* no admin has any */
	CODES_FAILED,		/* the disk, or locked; why was logged */
};

struct codes_query {
	const char *code;	/* eight digits, else it is wrong */
	struct otp_time time;
	bool totp;		/* accept time-based codes at all */
	/*
	 * While somebody guesses: only the next few codes are good at once.
	 * One farther ahead is good when an earlier such one came just before
	 * (in this process), so that the owner is never locked out.
	 */
	bool narrow;
};

struct codes_match {
	char who[CODES_NAME];	/* "" unless good, used or far */
	uint64_t counter;	/* the code's */
	uint64_t ahead;		/* how many were passed over */
	bool untimed;		/* time-based ones were left out */
};

/* Never NULL; reads nothing yet.  state_dir is copied. */
struct codes *codes_open(const char *state_dir);
/*
 * Open the folder now, for a process that will soon open nothing by its path:
 * all that follows goes on below it.  0, or -1 with errno; then there are no
 * codes.
 */
int codes_hold(struct codes *);
void codes_close(struct codes *);		/* NULL is fine */
const char *codes_path(const struct codes *);

/* Is the code good, and whose?  When it is, it is spent. */
enum codes_verdict codes_take(struct codes *, const struct codes_query *,
    struct codes_match *);

/*
 * What codes_take would say for this admin, spending nothing; looks
 * CODES_RESYNC counters ahead: codes_take finds what is CODES_AHEAD ahead.
 * CODES_NONE: no such admin.
 */
enum codes_verdict codes_look(struct codes *, const char *name,
    const struct codes_query *, struct codes_match *);

/*
 * Tools.  0, or -1 with errno: ENOENT no such admin, EEXIST, EBUSY, EBADMSG
 * a damaged file, E2BIG CODES_MAX reached, EINVAL not a name.
 */
int codes_list(struct codes *, struct codes_names *);
/* The caller wipes the record. */
int codes_get(struct codes *, const char *name, struct codes_record *);
/* A new secret; force: an old one is replaced.  The caller wipes. */
int codes_new(struct codes *, const char *name, bool totp, bool force,
    struct codes_record *);
int codes_remove(struct codes *, const char *name);

/*
 * Two codes, one after the other: move the counter behind them.  CODES_GOOD,
 * _WRONG, _USED (moving back would let codes work again), _NONE, _FAILED;
 * CODES_FAR: time-based codes have no counter to move.
 */
enum codes_verdict codes_resync(struct codes *, const char *name,
    const char *first, const char *second, struct codes_match *);

#endif
