#include <stdio.h>
#include <string.h>

#include "../server/base/clock.h"
#include "../server/base/str.h"
#include "when.h"

#define DAY_US INT64_C(86400000000)

/* Two digits below max, or -1. */
static int
two(const char *s, int max)
{
	int v;

	if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
		return -1;
	v = (s[0] - '0') * 10 + (s[1] - '0');
	return v < max ? v : -1;
}

/* "HH:MM[:SS[.frac]]" as microseconds of the day.  What follows, or NULL. */
static const char *
clock_time(const char *s, int64_t *us)
{
	int h, m, sec = 0;
	int64_t digit = 100000;

	if (strlen(s) < 5 || (h = two(s, 24)) == -1 || s[2] != ':' ||
	    (m = two(s + 3, 60)) == -1)
		return NULL;
	s += 5;
	if (*s == ':') {
		if (strlen(s) < 3 || (sec = two(s + 1, 61)) == -1)
			return NULL;
		s += 3;
	}
	*us = ((h * 60 + m) * INT64_C(60) + sec) * 1000000;
	if (*s != '.')
		return s;
	if (*++s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++, digit /= 10)
		*us += (*s - '0') * digit;
	return s;
}

/* "", "Z" or "+01:00".  0 or -1. */
static int
zone(const char *s, int64_t *us)
{
	int h, m;

	*us = 0;
	if (*s == '\0' || strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
		return 0;
	if ((*s != '+' && *s != '-') || strlen(s) != 6 || s[3] != ':' ||
	    (h = two(s + 1, 24)) == -1 || (m = two(s + 4, 60)) == -1)
		return -1;
	*us = (h * 60 + m) * INT64_C(60000000);
	if (*s == '-')
		*us = -*us;
	return 0;
}

static int
rfc3339(const char *s, int64_t *utc_us)
{
	int64_t day, us = 0, off = 0;
	char text[STAMP_TEXT];

	if (strlen(s) < 10)
		return -1;
	snprintf(text, sizeof(text), "%.10sT00:00:00.000000Z", s);
	if (stamp_parse(text, strlen(text), &day) == -1)
		return -1;
	s += 10;
	if (*s == 'T' || *s == 't' || *s == ' ') {
		s = clock_time(s + 1, &us);
		if (s == NULL || zone(s, &off) == -1)
			return -1;
	} else if (*s != '\0') {
		return -1;
	}
	*utc_us = day + us - off;
	return 0;
}

int
when_parse(const char *s, int64_t now_us, int64_t *utc_us)
{
	int64_t us, day = now_us / DAY_US * DAY_US;
	const char *rest;

	if (strcmp(s, "now") == 0) {
		*utc_us = now_us;
		return 0;
	}
	if (*s == '-') {
		if (str_duration(s + 1, &us) == -1 || us > INT64_MAX / 2000)
			return -1;
		*utc_us = now_us - us * 1000;
		return 0;
	}
	rest = clock_time(s, &us);
	if (rest != NULL && *rest == '\0') {
		*utc_us = day + us;
		return 0;
	}
	return rfc3339(s, utc_us);
}
