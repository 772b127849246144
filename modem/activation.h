/*
 * activation: shall this message be acted upon?  Asked in this order: is the
 * sender in the list, is it a command, is somebody guessing, whose code is it
 * (spent on the disk when it is good), and then: was it here before us, or on
 * its way for more than a day?  Only who passes all is ever answered.
 *
 * A number in the list can be feigned, so wrong codes from it never lock it
 * out: after GUESSES of them (one is forgiven every GUESS_MS) its codes are
 * only looked for more narrowly (codes.h), and the owner's next one works at
 * once.  A copy of a message that was acted upon is no guess.
 *
 * No text made here holds a code, or anything of the message.  Memory: the
 * list, and a counter for each of its numbers.
 */
#ifndef MODEM_ACTIVATION_H
#define MODEM_ACTIVATION_H

#include "../auth/codes.h"
#include "../server/base/clock.h"
#include "command.h"

#define ACTIVATION_GUESSES 10
#define ACTIVATION_GUESS_MS (10 * 60 * 1000)
#define ACTIVATION_MAX_AGE 86400	/* seconds; zones are off by less */
#define ACTIVATION_TELLS 20		/* refusals told at once ... */
#define ACTIVATION_TELL_MS (60 * 1000)	/* ... and one more each minute */
#define ACTIVATION_TEXT 256

struct activation;

struct activation_conf {
	const char *const *from;	/* E.164; copied */
	size_t nfrom;
	bool totp;			/* accept time-based codes, too */
};

struct activation_message {
	const char *sender;		/* as in pdu.h */
	uint8_t toa;
	const char *text;		/* UTF-8, of all parts */
	size_t len;
	int64_t smsc;	/* stamp of the SMS centre, s since the epoch; 0: none */
	bool old;	/* lay in a store when we came */
};

struct activation_now {
	bool trusted;		/* utc is right: synchronised since boot */
	int64_t utc;		/* seconds since the epoch */
	struct mono mono;
};

enum activation_why {
	ACTIVATION_ACCEPTED,
	ACTIVATION_STRANGER,
	ACTIVATION_NO_COMMAND,
	ACTIVATION_WRONG,
	ACTIVATION_USED,
	ACTIVATION_FAR,		/* good, but somebody guesses: the next works */
	ACTIVATION_NO_CODES,
	ACTIVATION_FAILED,	/* the disk; why was logged */
	ACTIVATION_OLD,		/* good, and spent, but not acted upon */
	ACTIVATION_STALE,	/* likewise */
};

#define ACTIVATION_WHYS (ACTIVATION_STALE + 1)

struct activation_verdict {
	bool act;
	enum activation_why why;
	/* When act: */
	char who[CODES_NAME];	/* whose code it was */
	enum command_verb verb;
	unsigned arg;		/* minutes or lines, 0: none given */
	/*
	 * For the journal: kind "sms-command" or "sms-refused", and text; tell
	 * is false while too many are refused to tell of each.
	 */
	bool tell;
	const char *kind;
	char text[ACTIVATION_TEXT];
};

/* Never NULL.  codes must outlive it. */
struct activation *activation_new(const struct activation_conf *,
    struct codes *);
void activation_free(struct activation *);	/* NULL is fine */

/* After a reload; what is known of guessing starts over. */
void activation_configure(struct activation *, const struct activation_conf *);

/* Each message once, as it comes; takes as long as the disk to sync twice. */
void activation_decide(struct activation *, const struct activation_message *,
    const struct activation_now *, struct activation_verdict *);

/* How many messages were judged so since the start. */
uint64_t activation_count(const struct activation *, enum activation_why);

/* Is somebody guessing now, under any number of the list? */
bool activation_guessing(const struct activation *, struct mono now);

const char *activation_why_text(enum activation_why);

#endif
