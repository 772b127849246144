#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_span.h"

/* What is expected (want[]) and what is there (lines), less what agrees. */
struct part {
	const struct check_span *span;
	const char *checks;
	size_t want, have;		/* how many differ of each */
	size_t at, have_at;		/* where the first of them is */
};

static unsigned
wanted(const char *checks, size_t i)
{
	char digits[SEAL_CHECK + 1];

	memcpy(digits, checks + i * SEAL_CHECK, SEAL_CHECK);
	digits[SEAL_CHECK] = '\0';
	return (unsigned)strtoul(digits, NULL, 16);
}

static bool
agree(const struct part *p, size_t want, size_t have)
{
	return wanted(p->checks, want) == p->span->lines[have].check;
}

/* Take off what agrees at both ends. */
static void
trim(struct part *p)
{
	while (p->want > 0 && p->have > 0 && agree(p, p->at, p->have_at)) {
		p->at++;
		p->have_at++;
		p->want--;
		p->have--;
	}
	while (p->want > 0 && p->have > 0 && agree(p, p->at + p->want - 1,
	    p->have_at + p->have - 1)) {
		p->want--;
		p->have--;
	}
}

static int
by_value(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* The same ones, in another order? */
static bool
is_permuted(const struct part *p)
{
	uint16_t *want, *have;
	bool same;

	if (p->want != p->have || p->want < 2)
		return false;
	want = calloc(2 * p->want, sizeof(*want));
	if (want == NULL)
		return false;
	have = want + p->want;
	for (size_t i = 0; i < p->want; i++) {
		want[i] = (uint16_t)wanted(p->checks, p->at + i);
		have[i] = p->span->lines[p->have_at + i].check;
	}
	qsort(want, p->want, sizeof(*want), by_value);
	qsort(have, p->want, sizeof(*have), by_value);
	same = memcmp(want, have, p->want * sizeof(*want)) == 0;
	free(want);
	return same;
}

/* Every line of the part is the copy of one outside it. */
static bool
is_doubled(const struct part *p)
{
	const struct check_span *s = p->span;

	for (size_t i = p->have_at; i < p->have_at + p->have; i++) {
		size_t j = 0;

		while (j < s->count && (s->lines[j].fold != s->lines[i].fold ||
		    (j >= p->have_at && j < p->have_at + p->have)))
			j++;
		if (j == s->count)
			return false;
	}
	return true;
}

static void
say(struct check_finding *f, enum check_kind kind, const struct part *p,
    const char *what)
{
	size_t line = p->span->first + p->have_at;
	size_t upto = line + (p->have > 0 ? p->have - 1 : 0);

	f->kind = kind;
	f->line = line;
	f->upto = upto;
	if (p->have_at < p->span->count)
		f->utc_us = p->span->lines[p->have_at].utc_us;
	if (upto == line)
		snprintf(f->text, sizeof(f->text), "line %zu: %s (seal %"
		    PRIu64 " tells)", line, what, f->seal);
	else
		snprintf(f->text, sizeof(f->text), "lines %zu to %zu: %s (seal "
		    "%" PRIu64 " tells)", line, upto, what, f->seal);
}

static void
say_removed(struct check_finding *f, const struct part *p)
{
	size_t line = p->span->first + p->have_at;

	f->kind = CHECK_REMOVED;
	f->line = f->upto = line;
	if (p->have_at < p->span->count)
		f->utc_us = p->span->lines[p->have_at].utc_us;
	snprintf(f->text, sizeof(f->text), "before line %zu: %zu record%s "
	    "removed (seal %" PRIu64 " tells)", line, p->want, p->want == 1 ?
	    " was" : "s were", f->seal);
}

/* Changed ones one by one, where each stands in its place. */
static void
say_edited(struct check_finding *f, const struct part *p)
{
	size_t n = 0;
	char what[80];

	for (size_t i = 0; p->want == p->have && i < p->want; i++)
		n += !agree(p, p->at + i, p->have_at + i);
	if (p->want == p->have && n == p->want)
		snprintf(what, sizeof(what), "edited");
	else if (p->want == p->have)
		snprintf(what, sizeof(what), "edited, %zu of them", n);
	else
		snprintf(what, sizeof(what), "edited; there were %zu records",
		    p->want);
	say(f, CHECK_EDITED, p, what);
}

void
check_span_tell(const struct check_span *s, const struct seal_fields *seal,
    struct check_finding *f)
{
	struct part p = { s, seal->checks, seal->records, s->count, 0, 0 };

	f->seal = seal->number;
	if (seal->checks == NULL || s->count > CHECK_LINES) {
		p.have_at = 0;
		say(f, CHECK_EDITED, &p, "some were edited");
		return;
	}
	trim(&p);
	if (p.want == 0 && p.have == 0) {
		f->kind = CHECK_SEAL;
		f->line = f->upto = s->first + s->count;
		snprintf(f->text, sizeof(f->text), "line %zu: seal %" PRIu64
		    " was edited, or a record before it in a way that its "
		    "check does not show", f->line, seal->number);
	} else if (p.have == 0) {
		say_removed(f, &p);
	} else if (p.want == 0) {
		if (is_doubled(&p))
			say(f, CHECK_DOUBLED, &p, "doubled");
		else
			say(f, CHECK_ADDED, &p, "added");
	} else if (is_permuted(&p)) {
		say(f, CHECK_SWAPPED, &p, "in another order");
	} else {
		say_edited(f, &p);
	}
}
