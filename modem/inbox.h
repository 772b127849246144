/*
 * inbox: received messages.  It decides when which store is listed, which
 * messages are new, and that every one is deleted; the commands themselves are
 * carried out by ops (sms_at.h does so through an AT queue).
 *
 * Stores are looked through when the modem reports a message and every minute
 * anyhow, every 15 s while someone waits for one: modems forget to report.  A
 * store whose list hangs is read message by message from then on.  Messages
 * that cannot be deleted one by one are deleted all at once, those read first,
 * then all.
 *
 * A message is given out once, after its fingerprint is on disk, whatever the
 * network or the modem repeats, also after a restart.  What lay in a store
 * before it was looked through completely for the first time is given out as
 * stored_before_start.
 *
 * One command is outstanding at a time.  After every call call inbox_run, but
 * not from inside an op.  From inside an op everything else may be called,
 * except inbox_free.
 *
 * Bounds: INBOX_STORES stores, INBOX_SLOTS messages (of 256 octets) in one
 * go; join.h and seen.h have theirs.
 */
#ifndef MODEM_INBOX_H
#define MODEM_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/clock.h"
#include "pdu.h"

#define INBOX_STORES 4
#define INBOX_SLOTS 256
#define INBOX_STORE_NAME 8

struct inbox;

struct inbox_message {
	const struct pdu_addr *sender;
	const struct pdu_addr *smsc;	/* of the last part; NULL: not told */
	const struct pdu_time *scts;	/* of the last part */
	const char *text;		/* UTF-8; may hold NUL */
	size_t text_len;
	unsigned parts;
	bool stored_before_start;	/* must not act */
};

/* How a command ended. */
enum inbox_answer {
	INBOX_OK,
	INBOX_ERROR,
	INBOX_TIMEOUT,
	INBOX_NO_STORE,		/* the modem has no such store */
};

/* For remove_all: the delete flag of AT+CMGD. */
enum inbox_which {
	INBOX_READ_ONES = 3,	/* unread ones stay */
	INBOX_ALL = 4,
};

struct inbox_ops {
	/*
	 * Commands; each is answered by inbox_answer, once, before the next
	 * one is given.  list and read give inbox_listed every message found.
	 */
	void (*list)(void *arg, const char *store);
	void (*read)(void *arg, const char *store, unsigned index);
	void (*remove)(void *arg, const char *store, unsigned index);
	void (*remove_all)(void *arg, const char *store, enum inbox_which);

	/* A whole message.  Everything it points to is gone on return. */
	void (*message)(void *arg, const struct inbox_message *);
	/* A status report, once.  May be NULL. */
	void (*report)(void *arg, const struct pdu *);
	/* A store does not answer, or keeps what is deleted: recover. */
	void (*stuck)(void *arg, const char *why);
};

struct inbox_counts {
	uint64_t found;		/* in stores, or given directly */
	uint64_t given_out;	/* messages */
	uint64_t repeated;
	uint64_t old;		/* given out as stored_before_start */
	uint64_t ignored;	/* of a kind that is not for us */
	uint64_t broken;	/* not decodable */
	uint64_t removed;
	uint64_t not_removed;
	uint64_t failed;	/* lists and reads that did not end well */
};

/*
 * stores: names for AT+CPMS, the preferred first.  seen_path: where to keep
 * fingerprints, NULL: nowhere.  The modem is absent.  Never NULL.
 */
struct inbox *inbox_new(const char *const stores[], size_t nstores,
    const char *seen_path, const struct inbox_ops *, void *arg);
void inbox_free(struct inbox *);		/* NULL is fine */

/*
 * The modem is there and set up, or is not.  Gone, the command outstanding is
 * forgotten and must not be answered any more.
 */
void inbox_ready(struct inbox *, bool ready);

/* Someone waits for a message: look every 15 s. */
void inbox_waiting(struct inbox *, bool);

/*
 * Look now, this store (NULL: any) first: +CMTI, +CDSI whatever their index,
 * ^SMMEMFULL, back from data mode.
 */
void inbox_poke(struct inbox *, const char *store);

/* A message that is in no store: the body of +CMT or +CDS. */
void inbox_direct(struct inbox *, const char *hex, size_t n, struct mono now);

/* Answers.  hex as the modem showed it: broken ones are deleted, too. */
void inbox_listed(struct inbox *, unsigned index, const char *hex, size_t n);
void inbox_answer(struct inbox *, enum inbox_answer);
/* From AT+CPMS=: how many messages the store holds and could. */
void inbox_size(struct inbox *, const char *store, unsigned used,
    unsigned total);

/*
 * Do what is due.  Returns in how many ms to call again, -1: not before
 * another call.
 */
int64_t inbox_run(struct inbox *, struct mono now);

/* In the middle of looking. */
bool inbox_is_busy(const struct inbox *);

/* All stores were looked through since the modem came: old ones are gone. */
bool inbox_is_swept(const struct inbox *);

const struct inbox_counts *inbox_counts(const struct inbox *);

#endif
