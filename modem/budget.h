/*
 * budget: bytes that the link has moved in this day and in this month of the
 * contract, and what is left of them.  Kept in a small file that is replaced
 * whole once a minute, after BUDGET_SAVE_BYTES more, and whenever the link
 * ends, so a power cut costs no more than that.
 *
 * Days and months are of the local time.  A clock that is not to be trusted
 * never gives a new budget: as long as it shows a time before BUDGET_EPOCH,
 * or before the last day counted (a clock that was reset), bytes count for
 * that last day; more than BUDGET_BACK_DAYS before it, it is the last day
 * that was wrong: the bytes stay, the dates are those of now.
 */
#ifndef MODEM_BUDGET_H
#define MODEM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "../server/base/clock.h"

#define BUDGET_EPOCH 1735689600	/* 2025-01-01, UTC */
#define BUDGET_BACK_DAYS 40
#define BUDGET_SAVE_MS 60000
#define BUDGET_SAVE_BYTES 262144

struct budget;

struct budget_conf {
	uint64_t day_soft, day_hard;	/* bytes; 0: no limit */
	uint64_t month_soft, month_hard;
	unsigned month_start;		/* day of the month, 1 to 28 */
};

enum budget_level {
	BUDGET_FINE,
	BUDGET_SOFT,		/* say so, once */
	BUDGET_HARD,		/* the link goes down, or does not come up */
};

/*
 * path: the file, copied.  What is there is read; a file that is broken is
 * said so in the log, put aside (path.bad) and begun anew.  Never NULL.
 */
struct budget *budget_new(const char *path, const struct budget_conf *,
    struct stamp now);
/* Saves what is not saved.  NULL is fine. */
void budget_free(struct budget *);
void budget_configure(struct budget *, const struct budget_conf *);

/*
 * The link's interface came up (budget_start), is up (budget_count, every few
 * seconds), is going (budget_end, with its last counters; saves).  received,
 * sent: as the interface counts; it may begin again at 0 or wrap at 32 bits.
 * budget_end without start does nothing.
 */
void budget_start(struct budget *, uint64_t received, uint64_t sent,
    struct stamp now);
enum budget_level budget_count(struct budget *, uint64_t received,
    uint64_t sent, struct stamp now);
void budget_end(struct budget *, uint64_t received, uint64_t sent,
    struct stamp now);

/* A reason to refuse a link now, "" for none.  force: it is wanted anyway. */
#define BUDGET_TEXT 160
const char *budget_refuses(struct budget *, bool force, struct stamp now,
    char dst[BUDGET_TEXT]);

struct budget_look {
	uint64_t day, month;		/* bytes, both ways together */
	uint64_t session;		/* since budget_start, also after its end */
	enum budget_level day_level, month_level, level;	/* the worse */
	int year, mon, mday;		/* the day that bytes count for */
	bool trusted;			/* the clock */
};
void budget_look(struct budget *, struct stamp now, struct budget_look *);

/* "1.2 MB today of 20 MB, 30 MB this month". */
const char *budget_text(struct budget *, struct stamp now,
    char dst[BUDGET_TEXT]);

#endif
