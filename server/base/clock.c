#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "os.h"

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct mono
mono_now(void)
{
	return (struct mono){ read_us(CLOCK_MONOTONIC) };
}

struct mono
mono_after(struct mono t, int64_t ms)
{
	return (struct mono){ t.us + ms * 1000 };
}

int64_t
mono_ms(struct mono a, struct mono b)
{
	return (b.us - a.us) / 1000;
}

int64_t
mono_us(struct mono a, struct mono b)
{
	return b.us - a.us;
}

struct stamp
stamp_now(void)
{
	return (struct stamp){ read_us(CLOCK_REALTIME), mono_now() };
}

char *
stamp_text(char dst[STAMP_TEXT], int64_t utc_us)
{
	time_t sec = (time_t)(utc_us / 1000000);
	int us = (int)(utc_us % 1000000);
	struct tm tm;
	size_t n;

	if (us < 0) {
		us += 1000000;
		sec--;
	}
	gmtime_r(&sec, &tm);
	n = strftime(dst, STAMP_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(dst + n, STAMP_TEXT - n, ".%06dZ", us);
	return dst;
}

bool
stamp_is_sane(int64_t utc_us)
{
	return utc_us >= 0 && utc_us < INT64_C(253402300800) * 1000000;
}

/* n decimal digits at s, or -1. */
static int
digits(const char *s, int n)
{
	int v = 0;

	while (n-- > 0) {
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s++ - '0');
	}
	return v;
}

/* Days from 1970-01-01 to y-m-d of the Gregorian calendar. */
static int64_t
days_from_civil(int y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int
days_in_month(int y, int m)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return m == 2 && leap ? 29 : days[m - 1];
}

int
stamp_parse(const char *s, size_t n, int64_t *utc_us)
{
	int y, mo, d, h, mi, sec, us;

	if (n < 27 || s[4] != '-' || s[7] != '-' || s[10] != 'T' ||
	    s[13] != ':' || s[16] != ':' || s[19] != '.' || s[26] != 'Z')
		return -1;
	y = digits(s, 4);
	mo = digits(s + 5, 2);
	d = digits(s + 8, 2);
	h = digits(s + 11, 2);
	mi = digits(s + 14, 2);
	sec = digits(s + 17, 2);
	us = digits(s + 20, 6);
	if (y < 0 || mo < 1 || mo > 12 || d < 1 ||
	    d > days_in_month(y, mo) || h < 0 || h > 23 ||
	    mi < 0 || mi > 59 || sec < 0 || sec > 60 || us < 0)
		return -1;
	*utc_us = ((days_from_civil(y, mo, d) * 24 + h) * 60 + mi) * 60;
	*utc_us = (*utc_us + sec) * 1000000 + us;
	return 0;
}

int64_t
backoff_next(struct backoff *b)
{
	int64_t wait = b->now_ms == 0 ? b->min_ms : b->now_ms;
	uint32_t r;

	b->now_ms = wait * 2 > b->max_ms ? b->max_ms : wait * 2;
	if (!b->jitter || wait < 2)
		return wait;
	os_random(&r, sizeof(r));
	return wait / 2 + (int64_t)(r % (uint32_t)(wait / 2 + 1));
}

void
backoff_reset(struct backoff *b)
{
	b->now_ms = 0;
}
