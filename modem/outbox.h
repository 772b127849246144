/*
 * outbox: messages to be sent, in a queue that outlives the process.  The
 * command itself is carried out by an op (sms_at.h does so through an AT
 * queue).
 *
 * Never doubled: that a part is about to be sent is on disk before the modem
 * hears of it.  When it is not known whether it was sent (no answer, a crash)
 * the message ends as OUTBOX_UNKNOWN and is not sent again, nor are its
 * further parts.  What surely was not sent is tried OUTBOX_TRIES times.
 *
 * Caps: so many messages (parts count) a day of UTC in all and per number,
 * kept on disk.  While the clock is not set nobody knows what day it is, and
 * the counts go on.
 *
 * Bounds: OUTBOX_MAX messages of OUTBOX_TEXT bytes, OUTBOX_NUMBERS numbers a
 * day.  A message that could not be sent for a day is given up.
 *
 * The file: "oobd-sms-out 1", then
 *	counts NEXT-ID REF DAY SENT
 *	number NUMBER SENT			one per number of that day
 *	message ID STATE PART TRIES REF NUMBER TEXT	TEXT in hexadecimal
 * STATE is q (queued) or s (being sent).  A change of the format takes another
 * number.
 *
 * After every call call outbox_run, but not from inside an op; there
 * everything else may be called, except outbox_free.
 */
#ifndef MODEM_OUTBOX_H
#define MODEM_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/clock.h"

#define OUTBOX_MAX 16
#define OUTBOX_TEXT 1024
#define OUTBOX_NUMBERS 32
#define OUTBOX_NUMBER 24
#define OUTBOX_TRIES 4
#define OUTBOX_WHY 128

struct outbox;

struct outbox_conf {
	unsigned per_day, per_number;
};

enum outbox_state {
	OUTBOX_QUEUED,
	OUTBOX_SENDING,
	OUTBOX_SENT,
	OUTBOX_UNKNOWN,
	OUTBOX_FAILED,
};

/* How the command to send ended. */
enum outbox_answer {
	OUTBOX_TAKEN,		/* by the network */
	OUTBOX_REFUSED,		/* code: as in +CMS ERROR, -1: none */
	OUTBOX_NOT_WRITTEN,	/* the modem never got the message */
	OUTBOX_NO_ANSWER,	/* it did, and what became of it is open */
};

struct outbox_end {
	uint32_t id;
	enum outbox_state state;	/* SENT, UNKNOWN or FAILED */
	const char *number;
	const char *why;		/* in words; "" when SENT */
};

struct outbox_ops {
	/*
	 * AT+CMGS of these tpdu_len octets; hex: with the SMS centre in front.
	 * Answered by outbox_answer, once.
	 */
	void (*send)(void *arg, const char *hex, size_t tpdu_len);
	/* A message is over; it is on disk that it is. */
	void (*end)(void *arg, const struct outbox_end *);
};

/*
 * path: the file, which need not exist; NULL: in memory only.  The modem is
 * absent.  Never NULL; what is wrong with the file is logged.
 */
struct outbox *outbox_new(const char *path, const struct outbox_conf *,
    const struct outbox_ops *, void *arg);
void outbox_free(struct outbox *);		/* NULL is fine */
void outbox_configure(struct outbox *, const struct outbox_conf *);

/*
 * Queue a text for a number ("+46701234567", or as dialled; at
 * least three digits).  utc: seconds since the epoch.  0 with *id, and it is
 * on disk; or -1 with why: what is wrong and what can be done.
 */
int outbox_add(struct outbox *, const char *number, const char *text,
    int64_t utc, uint32_t *id, char why[OUTBOX_WHY]);

/* The modem can send, or cannot.  What is being sent is still answered. */
void outbox_ready(struct outbox *, bool);

void outbox_answer(struct outbox *, enum outbox_answer, int code);

/*
 * Do what is due.  Returns in how many ms to call again, -1: not before
 * another call.
 */
int64_t outbox_run(struct outbox *, struct mono now);

/* Messages not over yet. */
size_t outbox_count(const struct outbox *);

/* Sent, or about to be, today; in all, or to this number. */
unsigned outbox_today(const struct outbox *, const char *number);

const char *outbox_state_text(enum outbox_state);

#endif
