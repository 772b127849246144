#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "needle.h"
#include "pattern.h"
#include "sieve.h"

#define DEPTH_MAX 32
#define SIEVE_LEAST 3	/* literals that one pass is better for */

struct pattern {
	regex_t re;
	bool compiled;
	struct needle needle;	/* what is there when it matches */
	struct sieve sieve;	/* of it, where it has many */
	char *ere;
	int flags;
	size_t seen;		/* bytes since it was compiled */
};

/* What stands before the place that is looked at. */
struct scan {
	const char *p;
	bool repeats[DEPTH_MAX];	/* by depth: there is a repetition in it */
	size_t depth;
	bool group;		/* a group was just closed: */
	bool inner;		/* and there was a repetition in it */
	bool counted;		/* {m,n} was just read */
};

/* Past a bracket expression; p is at its '['. */
static const char *
past_bracket(const char *p)
{
	p++;
	if (*p == '^')
		p++;
	if (*p == ']')
		p++;
	while (*p != '\0' && *p != ']') {
		if (*p == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
			char end[3] = { p[1], ']', '\0' };
			const char *q = strstr(p + 2, end);

			if (q == NULL)
				return p + strlen(p);
			p = q + 1;
		}
		p++;
	}
	return *p == '\0' ? p : p + 1;
}

static int
say(char why[PATTERN_WHY], const char *text)
{
	snprintf(why, PATTERN_WHY, "%s", text);
	return -1;
}

/* The numbers in {m,n}.  0 or -1. */
static int
check_count(struct scan *s, char why[PATTERN_WHY])
{
	char *end;

	for (s->p++; *s->p != '\0' && *s->p != '}'; s->p = end) {
		if (strtol(s->p, &end, 10) > PATTERN_REPEAT) {
			snprintf(why, PATTERN_WHY, "a count in braces is at "
			    "most %d", PATTERN_REPEAT);
			return -1;
		}
		if (end == s->p)
			end++;
	}
	if (*s->p == '}')
		s->p++;
	if (s->counted || (s->group && s->inner))
		return say(why, "take out the count in braces within, or "
		    "after, another one");
	for (size_t i = 0; i <= s->depth; i++)
		s->repeats[i] = true;
	s->counted = true;
	s->group = false;
	return 0;
}

static int
check_escape(struct scan *s, char why[PATTERN_WHY])
{
	char c = s->p[1];

	if (c >= '1' && c <= '9')
		return say(why, "take out the back-reference: matching one "
		    "can take for ever");
	s->p += c == '\0' ? 1 : 2;
	return 0;
}

/* Parentheses.  0 or -1. */
static int
check_group(struct scan *s, char why[PATTERN_WHY])
{
	if (*s->p++ == '(') {
		if (s->depth + 1 == DEPTH_MAX)
			return say(why, "its parentheses are nested too "
			    "deeply");
		s->repeats[++s->depth] = false;
		s->group = false;
	} else if (s->depth > 0) {
		s->inner = s->repeats[s->depth--];
		s->group = true;
	}
	return 0;
}

static int
check_costs(const char *ere, char why[PATTERN_WHY])
{
	struct scan s = { .p = ere };
	bool group;
	int r = 0;

	while (*s.p != '\0' && r == 0) {
		group = s.group;
		switch (*s.p) {
		case '\\':
			r = check_escape(&s, why);
			break;
		case '[':
			s.p = past_bracket(s.p);
			break;
		case '{':
			r = check_count(&s, why);
			continue;
		case '(':
		case ')':
			r = check_group(&s, why);
			s.counted = false;
			continue;
		case '*':
		case '+':
		case '?':
			/* Between a group and its count they change nothing. */
			s.p++;
			s.group = group;
			continue;
		default:
			s.p++;
		}
		s.group = s.counted = false;
	}
	return r;
}

static int
compile(struct pattern *p, char why[PATTERN_WHY])
{
	char reason[100];
	int r = regcomp(&p->re, p->ere, p->flags);

	p->seen = 0;
	p->compiled = r == 0;
	if (r == 0)
		return 0;
	regerror(r, &p->re, reason, sizeof(reason));
	snprintf(why, PATTERN_WHY, "not an extended regular expression: %s",
	    reason);
	return -1;
}

int
pattern_check(const char *ere, char why[PATTERN_WHY])
{
	struct pattern *p;

	if (ere[0] == '\0')
		return say(why, "an empty pattern matches everything");
	if (check_costs(ere, why) == -1)
		return -1;
	if (needle_problem(ere) != NULL)
		return say(why, needle_problem(ere));
	p = pattern_new(ere, false, why);
	pattern_free(p);
	return p != NULL ? 0 : -1;
}

struct pattern *
pattern_new(const char *ere, bool ignore_case, char why[PATTERN_WHY])
{
	struct pattern *p = xcalloc(1, sizeof(*p));

	p->ere = xstrdup(ere);
	p->flags = REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0);
	if (compile(p, why) == 0) {
		needle_make(&p->needle, ere, ignore_case);
		if (p->needle.count >= SIEVE_LEAST)
			sieve_make(&p->sieve, &p->needle);
		return p;
	}
	pattern_free(p);
	return NULL;
}

void
pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	if (p->compiled)
		regfree(&p->re);
	free(p->ere);
	free(p);
}

/* Could it match at all? */
static bool
may_match(const struct pattern *p, const char *line, size_t n)
{
	if (p->needle.count >= SIEVE_LEAST)
		return sieve_find(&p->sieve, line, n) != NULL;
	return p->needle.count == 0 ||
	    needle_find(&p->needle, line, n) != NULL;
}

bool
pattern_matches(struct pattern *p, const char *line, size_t n)
{
	char why[PATTERN_WHY];

	if (!may_match(p, line, n))
		return false;
	p->seen += n + 1;
	if (p->seen > PATTERN_FRESH) {
		if (p->compiled)
			regfree(&p->re);
		if (compile(p, why) == -1)
			mem_failed();	/* a line passed over is worse */
	}
	return pattern_in(&p->re, line);
}

bool
pattern_in(const regex_t *re, const char *line)
{
	int r;

	/* glibc's says REG_NOMATCH to everything. */
	errno = 0;
	r = regexec(re, line, 0, NULL, 0);
	if (r != 0 && (r != REG_NOMATCH || errno == ENOMEM))
		mem_failed();
	return r == 0;
}
