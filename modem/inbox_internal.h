/*
 * inbox_internal: what the parts of the inbox share.  inbox.c goes round the
 * stores, inbox_take.c judges what was found there.
 */
#ifndef MODEM_INBOX_INTERNAL_H
#define MODEM_INBOX_INTERNAL_H

#include "inbox.h"
#include "join.h"
#include "seen.h"

#define SLOT_OCTETS 256

struct slot {
	unsigned index;
	size_t len;		/* 0: no octets, as listed */
	uint8_t octets[SLOT_OCTETS];
	bool fresh;		/* not met before */
	bool broken;		/* not decodable */
};

struct store {
	char name[INBOX_STORE_NAME];
	bool swept;		/* looked through completely once */
	bool by_index;		/* its list hangs */
	unsigned skip;		/* this many rounds: there is none */
	unsigned failures;	/* lists in a row */
	unsigned stuck;		/* rounds in a row with failed deletes */
	unsigned used, total;	/* total 0: not known */
};

enum inbox_state {
	INBOX_ABSENT,
	INBOX_IDLE,
	INBOX_LISTING,
	INBOX_READING,
	INBOX_REMOVING,
	INBOX_REMOVING_ALL,
};

struct inbox {
	const struct inbox_ops *ops;
	void *arg;
	struct seen *seen;
	struct join *join;
	struct inbox_counts counts;
	bool save_failed;	/* told already */

	enum inbox_state state;
	bool asked, answered;	/* a command is out; its answer is in */
	enum inbox_answer answer;
	struct mono next;	/* when to look again */
	bool soon;		/* now */
	bool waits;		/* someone does, for a message */

	struct store stores[INBOX_STORES];
	size_t nstores;
	size_t first, round;	/* stores[(first + round) % n] is looked at */
	bool again;		/* there was more than fits, or a poke */
	unsigned progress;	/* messages removed in this round */
	unsigned rounds;	/* in a row, without a pause */

	struct slot slots[INBOX_SLOTS];
	size_t nslots, at;	/* slots[at] is being removed */
	bool more;		/* there were more than INBOX_SLOTS */
	unsigned index;		/* being read */
	unsigned failed;	/* deletes, in this store */

	struct join_message whole;
};

/*
 * Give out what is new in slots.  old: it lay there before the start.
 */
void inbox_take(struct inbox *, bool old, struct mono now);

#endif
