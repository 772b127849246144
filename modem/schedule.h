/*
 * schedule: when something is to be done once a day or once a week, at a
 * minute of the local day.  Pure, but for the system's time zone.
 *
 * What was done is a day, not a moment: a day's slot is used once, whatever
 * the clock does meanwhile.  In a day that has the minute twice the system's
 * choice counts; in one that lacks it, the moment that the system makes of it.
 * A slot that was missed is due for SCHEDULE_LATE_S more.
 */
#ifndef MODEM_SCHEDULE_H
#define MODEM_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_LATE_S (6 * 3600)
#define SCHEDULE_EPOCH 1735689600	/* 2025-01-01: no clock is older */

struct schedule {
	int day;		/* 0 Sunday to 6; -1: every day */
	int minute;		/* of the day; -1: never */
};

/* The clock, and how far it can be trusted. */
struct schedule_now {
	int64_t utc;		/* seconds */
	bool synced;		/* with a better one, since boot */
};

/*
 * The day (20261122) whose slot is to be used now, 0: none.  last: the one
 * used last, 0: none.  With a clock that is older than SCHEDULE_EPOCH nothing
 * is due; nor with one that shows a day before last, unless it is synced: then
 * it was last that was wrong.
 */
int schedule_due(const struct schedule *, const struct schedule_now *,
    int last);

/* When the next slot begins, UTC; -1: never, or it is not known. */
int64_t schedule_next(const struct schedule *, const struct schedule_now *,
    int last);

#endif
