#include <time.h>

#include "schedule.h"

#define DAYS_AHEAD 15		/* of which two are a given day of the week */

struct slot {
	int day;		/* 20261122 */
	int64_t at;		/* UTC */
	bool is;		/* the day has one */
};

static int
number_of(const struct tm *tm)
{
	return (tm->tm_year + 1900) * 10000 + (tm->tm_mon + 1) * 100 +
	    tm->tm_mday;
}

/* That of the local day which is so many days after now. */
static struct slot
slot_of(const struct schedule *s, int64_t utc, int days)
{
	time_t now = (time_t)utc;
	struct slot slot = { 0, 0, false };
	struct tm tm;

	localtime_r(&now, &tm);
	/* Noon exists everywhere, every day. */
	tm.tm_mday += days;
	tm.tm_hour = 12;
	tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	(void)mktime(&tm);
	slot.day = number_of(&tm);
	slot.is = s->minute >= 0 && (s->day == -1 || s->day == tm.tm_wday);
	tm.tm_hour = s->minute / 60;
	tm.tm_min = s->minute % 60;
	tm.tm_isdst = -1;
	slot.at = (int64_t)mktime(&tm);
	return slot;
}

/* The day used last, if that can be. */
static int
believed(const struct schedule *s, const struct schedule_now *now, int last)
{
	return now->synced && last > slot_of(s, now->utc, 1).day ? 0 : last;
}

int
schedule_due(const struct schedule *s, const struct schedule_now *now,
    int last)
{
	struct slot slot;

	if (now->utc < SCHEDULE_EPOCH)
		return 0;
	last = believed(s, now, last);
	/* That of yesterday may be late, that of tomorrow never early. */
	for (int days = 0; days >= -1; days--) {
		slot = slot_of(s, now->utc, days);
		if (slot.is && slot.day > last && now->utc >= slot.at &&
		    now->utc < slot.at + SCHEDULE_LATE_S)
			return slot.day;
	}
	return 0;
}

int64_t
schedule_next(const struct schedule *s, const struct schedule_now *now,
    int last)
{
	struct slot slot;

	if (now->utc < SCHEDULE_EPOCH)
		return -1;
	last = believed(s, now, last);
	for (int days = 0; days <= DAYS_AHEAD; days++) {
		slot = slot_of(s, now->utc, days);
		if (slot.is && slot.day > last && slot.at > now->utc)
			return slot.at;
	}
	return -1;
}
