/*
 * chronicle: the notable things that happened on one console: how many in
 * all, and the newest CHRONICLE_ROWS in detail.  Pure.
 *
 * Memory: 24 KiB a console when it is full.
 */
#ifndef SERVER_CHRONICLE_H
#define SERVER_CHRONICLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define CHRONICLE_ROWS 128
#define CHRONICLE_NAME 33
#define CHRONICLE_TEXT 128
#define CHRONICLE_SEVEREST 2	/* as enum severity ends */

enum chronicle_what {
	CHRONICLE_ATTACH,
	CHRONICLE_ALERT,
	CHRONICLE_REBOOT,
	CHRONICLE_LOST,		/* the line */
};
#define CHRONICLE_WHATS 4

struct chronicle_row {
	uint64_t seq;		/* counts all there ever were, from 1 */
	struct stamp when;	/* mono is 0 when it was loaded */
	enum chronicle_what what;
	unsigned severity;	/* enum severity */
	char name[CHRONICLE_NAME];	/* user, alert */
	char text[CHRONICLE_TEXT];	/* line, from where */
};

/* Where somebody stands who has seen so much of a console. */
struct tally {
	uint64_t offset;	/* bytes of the device */
	uint64_t lines;
	uint64_t seq;
	uint64_t of[CHRONICLE_WHATS];
};

struct chronicle;

struct chronicle *chronicle_new(void);
void chronicle_free(struct chronicle *);	/* NULL is fine */

/* seq is set here; the rest is copied. */
void chronicle_add(struct chronicle *, const struct chronicle_row *);

size_t chronicle_count(const struct chronicle *);
/* Oldest first. */
const struct chronicle_row *chronicle_row_at(const struct chronicle *,
    size_t i);

/* The counts now, or as they were before `since`; offset and lines as given. */
struct tally chronicle_tally(const struct chronicle *, uint64_t offset,
    uint64_t lines);
struct tally chronicle_tally_before(const struct chronicle *, uint64_t offset,
    uint64_t lines, struct mono since);

/* As text and back; looked: how far the console was watched for alerts. */
char *chronicle_save(const struct chronicle *, const struct tally *looked);
/*
 * Into a fresh one; rows that are damaged are left out.  0, or -1: it is no
 * such text, or its counts cannot be: nothing is loaded, and offset and lines
 * are as they were.
 */
int chronicle_load(struct chronicle *, const char *text, uint64_t *offset,
    uint64_t *lines);

const char *chronicle_what_text(enum chronicle_what);

#endif
