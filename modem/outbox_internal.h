/*
 * outbox_internal: what the parts of the outbox share.  outbox.c sends,
 * outbox_file.c remembers.
 */
#ifndef MODEM_OUTBOX_INTERNAL_H
#define MODEM_OUTBOX_INTERNAL_H

#include "outbox.h"

struct letter {
	uint32_t id;
	enum outbox_state state;
	unsigned part;		/* being sent, or next, from 1 on */
	unsigned tries;		/* at this part */
	uint8_t ref;		/* of its parts */
	char number[OUTBOX_NUMBER];
	char text[OUTBOX_TEXT];
	size_t len;
	char why[OUTBOX_WHY];	/* once it is over */
	struct mono since;	/* queued; 0: before this process */
	struct mono due;
};

struct tally {
	char number[OUTBOX_NUMBER];
	unsigned sent;
};

struct outbox {
	const struct outbox_ops *ops;
	void *arg;
	struct outbox_conf conf;
	char *path;

	uint32_t next_id;
	uint8_t ref;
	int64_t day;		/* since the epoch, of the counts */
	unsigned sent;
	struct tally tallies[OUTBOX_NUMBERS];
	size_t ntallies;

	struct letter letters[OUTBOX_MAX];	/* in the order they came */
	size_t n;

	bool ready;
	struct letter *out;	/* the one being sent */
	bool answered;
	enum outbox_answer answer;
	int code;
	bool changed;		/* since it was written */
	bool save_failed;	/* told already */
	struct mono save_again;
};

/* What there is in the file; letters that were being sent are SENDING. */
void outbox_load(struct outbox *);

/* 0, or -1 with errno. */
int outbox_save(struct outbox *);

#endif
