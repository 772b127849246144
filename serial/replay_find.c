#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "jread.h"
#include "jscan.h"
#include "pattern.h"
#include "replay_find.h"
#include "strip.h"

#define FIRST_SPAN INT64_C(10000000)	/* microseconds */
#define LONGER 12			/* times */

bool
replay_find_span(const struct replay_find *f, int64_t at, int64_t *span,
    int64_t *from)
{
	if (*span > 0 && at - *span <= f->since)
		return false;
	/* A year reaches to wherever there is a beginning. */
	if (*span > INT64_C(365) * 86400 * 1000000)
		return false;
	*span = *span == 0 ? FIRST_SPAN : *span * LONGER;
	*from = at - *span < f->since ? f->since : at - *span;
	return true;
}

/* The last (or first) event between these, both excluded.  0 or -1. */
static int
event_between(const struct replay_find *f, int64_t from, int64_t to,
    bool last, int64_t *found)
{
	struct jread *j = jread_open(f->log_dir, f->console);
	int status = -1, n = 0;
	struct record r;

	if (j != NULL && jread_range(j, from, to) == 0) {
		while ((last || status == -1) && jread_next(j, &r) == 1) {
			if (++n % 4096 == 0 && !f->go_on(f->arg))
				break;
			if (r.type != RECORD_EVENT ||
			    r.stamp.utc_us <= from || r.stamp.utc_us >= to)
				continue;
			*found = r.stamp.utc_us;
			status = 0;
		}
	}
	jread_close(j);
	return status;
}

int
replay_find_event(const struct replay_find *f, int64_t at, bool back,
    int64_t *found)
{
	int64_t span = 0, from;

	if (!back)
		return event_between(f, at, f->until, false, found);
	while (replay_find_span(f, at, &span, &from)) {
		if (event_between(f, from - 1, at, true, found) == 0)
			return 0;
	}
	return -1;
}

struct search {
	regex_t re;
	struct needle needle;
	char text[STRIP_ROOM(RECORD_BYTES)];
};

static int
line_between(const struct replay_find *f, struct search *s, int64_t from,
    int64_t to, bool last, int64_t *found)
{
	struct jscan *j = jscan_open(f->log_dir, f->console, from, to);
	struct record r;
	int status = -1;

	if (j == NULL)
		return -1;
	jscan_on_pause(j, f->go_on, f->arg);
	while ((last || status == -1) &&
	    jscan_next(j, &s->needle, &r) == 1) {
		strip_line(r.data, r.n, s->text, sizeof(s->text));
		if (record_end_us(&r) <= from || record_end_us(&r) >= to ||
		    !pattern_in(&s->re, s->text))
			continue;
		*found = record_end_us(&r);
		status = 0;
	}
	jscan_close(j);
	return status;
}

int
replay_find_line(const struct replay_find *f, int64_t at, bool back,
    const char *ere, int64_t *found, char why[128])
{
	const char *problem = needle_problem(ere);
	int64_t span = 0, from;
	struct search *s;
	int status = -1;

	if (problem != NULL) {
		strcpy(why, problem);
		return -2;
	}
	s = xcalloc(1, sizeof(*s));
	status = regcomp(&s->re, ere, REG_EXTENDED | REG_NOSUB);
	if (status != 0) {
		regerror(status, &s->re, why, 128);
		free(s);
		return -2;
	}
	needle_make(&s->needle, ere, false);
	status = back ? -1 : line_between(f, s, at, f->until, false, found);
	while (back && status == -1 && replay_find_span(f, at, &span, &from))
		status = line_between(f, s, from - 1, at, true, found);
	regfree(&s->re);
	free(s);
	return status;
}
