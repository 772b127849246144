#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "budget.h"

#define FILE_MAX 1024
#define US_PER_S 1000000
#define WRAP ((uint64_t)1 << 32)
#define WRAP_NEAR ((uint64_t)1 << 28)	/* of the wrap: it was one */

/* One direction's counter, and where it last stood. */
struct side {
	uint64_t last;
};

struct budget {
	char *path;
	struct budget_conf conf;
	/* In the file: */
	int date;			/* days since 1970, local; -1: none */
	uint64_t day, month;
	/* Not in the file: */
	int year, mon, mday;		/* date in words */
	uint64_t session, unsaved;
	struct side received, sent;
	bool counting, dirty, trusted;
	struct mono saved_at;
};

/* Dates.  Howard Hinnant's days_from_civil, proleptic Gregorian. */

static int
days_of(int y, int m, int d)
{
	int era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
civil_of(int days, int *y, int *m, int *d)
{
	int era, doe, yoe, doy, mp;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp + (mp < 10 ? 3 : -9);
	*y = yoe + era * 400 + (*m <= 2);
}

/* The first day of the contract's month that this day is in. */
static int
month_of(int date, unsigned start)
{
	int y, m, d;

	civil_of(date, &y, &m, &d);
	if (d < (int)start && --m == 0) {
		m = 12;
		y--;
	}
	return days_of(y, m, (int)start);
}

/* Today by the local clock, -1: not to be trusted. */
static int
today(struct stamp now)
{
	time_t t = (time_t)(now.utc_us / US_PER_S);
	struct tm tm;

	if (now.utc_us / US_PER_S < BUDGET_EPOCH || localtime_r(&t, &tm) ==
	    NULL)
		return -1;
	return days_of(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static void
set_date(struct budget *b, int date)
{
	if (b->date == date)
		return;
	b->date = date;
	b->dirty = true;
	civil_of(date, &b->year, &b->mon, &b->mday);
}

/* A new day or month begins only when the clock is to be believed. */
static void
turn_page(struct budget *b, struct stamp now)
{
	int date = today(now);

	b->trusted = date != -1 && (b->date == -1 || date >= b->date ||
	    date < b->date - BUDGET_BACK_DAYS);
	if (!b->trusted)
		return;
	if (b->date != -1 && date > b->date) {
		b->day = 0;
		if (month_of(date, b->conf.month_start) !=
		    month_of(b->date, b->conf.month_start))
			b->month = 0;
	}
	set_date(b, date);
}

/* The file. */

static void
save(struct budget *b, struct stamp now)
{
	char text[FILE_MAX];
	int n;

	n = snprintf(text, sizeof(text), "oobd budget 1\ndate %d\nday %" PRIu64
	    "\nmonth %" PRIu64 "\n", b->date, b->day, b->month);
	/* Not again at once when the disk is full. */
	b->saved_at = now.mono;
	b->unsaved = 0;
	if (file_replace(b->path, text, (size_t)n, 0600) == -1)
		log_errno("%s", b->path);
	else
		b->dirty = false;
}

static void
save_sometimes(struct budget *b, struct stamp now)
{
	if (b->dirty && (b->unsaved >= BUDGET_SAVE_BYTES ||
	    mono_ms(b->saved_at, now.mono) >= BUDGET_SAVE_MS))
		save(b, now);
}

/* 0, or -1: it makes no sense. */
static int
parse(struct budget *b, const char *text)
{
	int64_t date, day, month;
	char line[3][32];
	int end = 0;

	if (sscanf(text, "oobd budget 1\ndate %31[-0-9]\nday %31[0-9]\n"
	    "month %31[0-9]\n%n", line[0], line[1], line[2], &end) != 3 ||
	    end == 0 || text[end] != '\0' ||
	    str_int(line[0], -1, 10000000, &date) == -1 ||
	    str_int(line[1], 0, INT64_MAX, &day) == -1 ||
	    str_int(line[2], 0, INT64_MAX, &month) == -1)
		return -1;
	b->day = (uint64_t)day;
	b->month = (uint64_t)month;
	if (date != -1)
		set_date(b, (int)date);
	return 0;
}

static void
load(struct budget *b)
{
	char *text = file_read(b->path, FILE_MAX, NULL), *aside;

	if (text == NULL)
		return;			/* the first time */
	if (parse(b, text) == -1) {
		aside = xasprintf("%s.bad", b->path);
		log_error("%s: makes no sense; put aside as %s, counting "
		    "begins anew", b->path, aside);
		rename(b->path, aside);
		free(aside);
	}
	free(text);
	b->dirty = false;
}

/* Counting. */

/* Bytes since the last look, and remember this one. */
static uint64_t
step(struct side *s, uint64_t now)
{
	uint64_t n;

	if (now >= s->last)
		n = now - s->last;
	else if (s->last < WRAP && s->last >= WRAP - WRAP_NEAR &&
	    now < WRAP_NEAR)
		n = WRAP - s->last + now;
	else
		n = now;		/* a new interface */
	s->last = now;
	return n;
}

static void
add(struct budget *b, uint64_t n)
{
	if (n == 0)
		return;
	b->day += n;
	b->month += n;
	b->session += n;
	b->unsaved += n;
	b->dirty = true;
}

static enum budget_level
level_of(uint64_t used, uint64_t soft, uint64_t hard)
{
	if (hard != 0 && used >= hard)
		return BUDGET_HARD;
	return soft != 0 && used >= soft ? BUDGET_SOFT : BUDGET_FINE;
}

static enum budget_level
level(const struct budget *b, enum budget_level *day,
    enum budget_level *month)
{
	*day = level_of(b->day, b->conf.day_soft, b->conf.day_hard);
	*month = level_of(b->month, b->conf.month_soft, b->conf.month_hard);
	return *day > *month ? *day : *month;
}

struct budget *
budget_new(const char *path, const struct budget_conf *conf,
    struct stamp now)
{
	struct budget *b = xcalloc(1, sizeof(*b));

	b->path = xstrdup(path);
	b->conf = *conf;
	b->date = -1;
	b->saved_at = now.mono;
	load(b);
	turn_page(b, now);
	return b;
}

void
budget_free(struct budget *b)
{
	if (b == NULL)
		return;
	if (b->dirty)
		save(b, stamp_now());
	free(b->path);
	free(b);
}

void
budget_configure(struct budget *b, const struct budget_conf *conf)
{
	b->conf = *conf;
}

void
budget_start(struct budget *b, uint64_t received, uint64_t sent,
    struct stamp now)
{
	turn_page(b, now);
	b->received.last = received;
	b->sent.last = sent;
	b->session = 0;
	b->counting = true;
}

enum budget_level
budget_count(struct budget *b, uint64_t received, uint64_t sent,
    struct stamp now)
{
	enum budget_level day, month;

	turn_page(b, now);
	if (b->counting) {
		add(b, step(&b->received, received));
		add(b, step(&b->sent, sent));
	}
	save_sometimes(b, now);
	return level(b, &day, &month);
}

void
budget_end(struct budget *b, uint64_t received, uint64_t sent,
    struct stamp now)
{
	if (!b->counting)
		return;
	budget_count(b, received, sent, now);
	b->counting = false;
	if (b->dirty)
		save(b, now);
}

/* "12.3 MB", of a million bytes as contracts have them. */
static const char *
bytes_text(char dst[32], uint64_t n)
{
	if (n < 1000)
		snprintf(dst, 32, "%u B", (unsigned)n);
	else if (n < 1000000)
		snprintf(dst, 32, "%.1f kB", (double)n / 1e3);
	else if (n < 1000000000)
		snprintf(dst, 32, "%.1f MB", (double)n / 1e6);
	else
		snprintf(dst, 32, "%.1f GB", (double)n / 1e9);
	return dst;
}

const char *
budget_refuses(struct budget *b, bool force, struct stamp now,
    char dst[BUDGET_TEXT])
{
	enum budget_level day, month;
	char used[32], limit[32];

	dst[0] = '\0';
	turn_page(b, now);
	level(b, &day, &month);
	if (force || (day != BUDGET_HARD && month != BUDGET_HARD))
		return dst;
	bytes_text(used, day == BUDGET_HARD ? b->day : b->month);
	bytes_text(limit, day == BUDGET_HARD ? b->conf.day_hard :
	    b->conf.month_hard);
	snprintf(dst, BUDGET_TEXT, "%s of %s this %s are used up", used, limit,
	    day == BUDGET_HARD ? "day" : "month");
	return dst;
}

void
budget_look(struct budget *b, struct stamp now, struct budget_look *l)
{
	turn_page(b, now);
	memset(l, 0, sizeof(*l));
	l->day = b->day;
	l->month = b->month;
	l->session = b->session;
	l->level = level(b, &l->day_level, &l->month_level);
	l->year = b->year;
	l->mon = b->mon;
	l->mday = b->mday;
	l->trusted = b->trusted;
}

/* " of 20.0 MB", or "". */
static const char *
of_text(char dst[48], uint64_t limit)
{
	char bytes[32];

	dst[0] = '\0';
	if (limit != 0)
		snprintf(dst, 48, " of %s", bytes_text(bytes, limit));
	return dst;
}

const char *
budget_text(struct budget *b, struct stamp now, char dst[BUDGET_TEXT])
{
	char day[32], month[32], of_day[48], of_month[48];

	turn_page(b, now);
	snprintf(dst, BUDGET_TEXT, "%s%s today, %s%s this month%s",
	    bytes_text(day, b->day), of_text(of_day, b->conf.day_hard),
	    bytes_text(month, b->month),
	    of_text(of_month, b->conf.month_hard),
	    b->trusted ? "" : " (the clock is wrong)");
	return dst;
}
