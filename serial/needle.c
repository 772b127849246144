#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "needle.h"

#define LEAST 2			/* shorter literals stand everywhere */
#define DEPTH_MAX 16		/* groups within groups; deeper: no literals */
#define REPEAT_MAX 1000		/* all counts of an expression multiplied */
#define ERE_MAX 1024
#define ONES UINT64_C(0x0101010101010101)
#define TOPS UINT64_C(0x8080808080808080)

/* Where we read; a literal under way. */
struct parse {
	const char *p;
	bool fold, failed;
	int depth;
};

static size_t
shortest(const struct needle *s)
{
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < s->count; i++) {
		if (s->any[i].n < least)
			least = s->any[i].n;
	}
	return s->count == 0 ? 0 : least;
}

static void
add_also(struct needle *s, const struct needle_text *t)
{
	if (s->nalso < NEEDLE_ALSO)
		s->also[s->nalso++] = *t;
}

/* What was read so far is one that the branch needs: keep the best. */
static void
end_run(struct needle_text *r, struct needle *best)
{
	if (r->n >= LEAST && r->n > shortest(best)) {
		if (best->count == 1)
			add_also(best, &best->any[0]);
		best->count = 1;
		best->any[0] = *r;
	} else if (r->n >= LEAST) {
		add_also(best, r);
	}
	r->n = 0;
}

static void
add_char(struct needle_text *r, char c, struct needle *best)
{
	if (r->n == NEEDLE_BYTES)
		end_run(r, best);
	r->text[r->n++] = c;
}

/* Behind "[": past the closing bracket. */
static const char *
skip_bracket(const char *p)
{
	char kind;

	if (*p == '^')
		p++;
	if (*p == ']')
		p++;
	for (; *p != '\0' && *p != ']'; p++) {
		if (*p == '[' && p[1] != '\0' && strchr(".=:", p[1]) != NULL) {
			kind = p[1];
			p += 2;
			while (*p != '\0' && !(*p == kind && p[1] == ']'))
				p++;
			if (*p == '\0')
				return p;
			p++;
		}
	}
	return *p == ']' ? p + 1 : p;
}

/* A repetition at p, if there is one: past it.  *least how often at least. */
static const char *
skip_repeat(const char *p, bool *is_one, bool *none)
{
	*is_one = true;
	*none = false;
	for (;; p++) {
		if (*p == '*' || *p == '?') {
			*none = true;
		} else if (*p == '{' && isdigit((unsigned char)p[1])) {
			*none = *none || p[1] == '0';
			while (p[1] != '\0' && *p != '}')
				p++;
		} else if (*p == '{' && p[1] == ',') {
			*none = true;
			while (p[1] != '\0' && *p != '}')
				p++;
		} else if (*p != '+') {
			return p;
		}
		*is_one = false;
	}
}

static void parse_alternatives(struct parse *, struct needle *);

/* "(...)" behind its "(": what it needs, the branch needs, unless repeated
   no times. */
static void
parse_group(struct parse *s, struct needle *best)
{
	struct needle inner = { .count = 0 };
	bool is_one, none;

	if (++s->depth > DEPTH_MAX) {
		s->failed = true;
		return;
	}
	parse_alternatives(s, &inner);
	s->depth--;
	if (*s->p == ')')
		s->p++;
	s->p = skip_repeat(s->p, &is_one, &none);
	if (none || inner.count == 0)
		return;
	if (shortest(&inner) > shortest(best)) {
		/* What the branch needed so far, it still does. */
		for (size_t i = 0; i < best->nalso; i++)
			add_also(&inner, &best->also[i]);
		if (best->count == 1)
			add_also(&inner, &best->any[0]);
		*best = inner;
	} else if (inner.count == 1) {
		add_also(best, &inner.any[0]);
	}
}

/* One character of an expression; false: it is not a literal. */
static bool
take_literal(struct parse *s, char *c)
{
	*c = *s->p++;
	switch (*c) {
	case '.': case '^': case '$': case '*': case '+': case '?': case '{':
		return false;
	case '[':
		s->p = skip_bracket(s->p);
		return false;
	case '\\':
		if (*s->p == '\0')
			return false;
		*c = *s->p++;
		/* \w, \b, \1, \<, \` and so on are none. */
		return ispunct((unsigned char)*c) && strchr("<>`'", *c) == NULL;
	}
	if (s->fold && (unsigned char)*c >= 0x80)
		return false;
	if (s->fold)
		*c = (char)tolower((unsigned char)*c);
	return true;
}

static void
parse_branch(struct parse *s, struct needle *best)
{
	struct needle_text r = { .n = 0 };
	bool literal, is_one, none;
	char c;

	best->count = best->nalso = 0;
	while (*s->p != '\0' && *s->p != '|' && !s->failed &&
	    !(*s->p == ')' && s->depth > 0)) {
		if (*s->p == '(') {
			end_run(&r, best);
			s->p++;
			parse_group(s, best);
			continue;
		}
		literal = take_literal(s, &c);
		s->p = skip_repeat(s->p, &is_one, &none);
		if (literal && !none)
			add_char(&r, c, best);
		if (!literal || !is_one)
			end_run(&r, best);
	}
	end_run(&r, best);
}

/* Branches up to ")" or the end: each must have one. */
static void
parse_alternatives(struct parse *s, struct needle *all)
{
	struct needle branch;
	bool every = true;
	int branches = 0;

	all->count = all->nalso = 0;
	for (;;) {
		parse_branch(s, &branch);
		if (branch.count == 0 ||
		    all->count + branch.count > NEEDLE_MAX)
			every = false;
		for (size_t i = 0; every && i < branch.count; i++)
			all->any[all->count++] = branch.any[i];
		branches++;
		if (*s->p != '|' || s->failed)
			break;
		s->p++;
	}
	if (!every)
		all->count = 0;
	if (every && branches == 1)
		*all = branch;
}

/* How seldom letters are in what consoles print; others are rarer. */
static size_t
rarest(const char *text, size_t n)
{
	static const char common[] = "etaonirsld cumphf:0gby1.w2v4k3567-98";
	size_t best = 0, at, top = 0;

	for (size_t i = 0; i < n; i++) {
		const char *found = memchr(common, text[i], sizeof(common) - 1);

		at = found == NULL ? sizeof(common) :
		    (size_t)(found - common);
		if (i == 0 || at > top) {
			best = i;
			top = at;
		}
	}
	return best;
}

void
needle_make(struct needle *n, const char *ere, bool fold)
{
	struct parse s = { .p = ere, .fold = fold };

	memset(n, 0, sizeof(*n));
	parse_alternatives(&s, n);
	/* A stray ")" ends it early: what follows was not looked at, and is
	   needed as well, not instead. */
	if (s.failed || *s.p != '\0')
		n->count = n->nalso = 0;
	n->fold = fold;
	for (size_t i = 0; i < n->count; i++)
		n->any[i].rare = rarest(n->any[i].text, n->any[i].n);
	for (size_t i = 0; i < n->nalso; i++)
		n->also[i].rare = rarest(n->also[i].text, n->also[i].n);
}

static bool
same_folded(const char *p, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (tolower((unsigned char)p[i]) != (unsigned char)text[i])
			return false;
	}
	return true;
}

/*
 * The first of n bytes that is c in either case, or p + n.  Eight at a time:
 * setting bit 5 folds letters, and takes others for them, which the caller's
 * comparison tells apart.
 */
static const char *
find_folded(const char *p, size_t n, char c)
{
	const uint64_t want = ONES * (uint8_t)(c | 0x20);
	uint64_t w;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		memcpy(&w, p + i, 8);
		w = (w | ONES * 0x20) ^ want;
		if (((w - ONES) & ~w & TOPS) != 0)
			break;
	}
	for (; i < n; i++) {
		if ((p[i] | 0x20) == (c | 0x20))
			return p + i;
	}
	return p + n;
}

/* Look for the rarest byte, then at the rest. */
static const char *
find_text(const struct needle_text *t, bool fold, const char *p, size_t n)
{
	const char *text = t->text, *e = p + n, *hit;
	size_t len = t->n, k = t->rare;

	if (n < len)
		return NULL;
	for (p += k; p < e - (len - k - 1); p = hit + 1) {
		size_t left = (size_t)(e - (len - k - 1) - p);

		hit = fold ? find_folded(p, left, text[k]) :
		    memchr(p, text[k], left);
		if (hit == NULL || hit == p + left)
			return NULL;
		if (fold ? same_folded(hit - k, text, len) :
		    memcmp(hit - k, text, len) == 0)
			return hit - k;
	}
	return NULL;
}

const char *
needle_find_one(const struct needle *s, size_t i, const char *p, size_t n)
{
	return find_text(&s->any[i], s->fold, p, n);
}

bool
needle_has_all(const struct needle *s, const char *p, size_t n)
{
	for (size_t i = 0; i < s->nalso; i++) {
		if (find_text(&s->also[i], s->fold, p, n) == NULL)
			return false;
	}
	return true;
}

const char *
needle_find(const struct needle *s, const char *p, size_t n)
{
	const char *first = NULL, *hit;

	for (size_t i = 0; i < s->count; i++) {
		hit = needle_find_one(s, i, p, n);
		if (hit != NULL) {
			first = hit;
			n = (size_t)(hit - p) + s->any[i].n;
		}
	}
	return first;
}

/* The highest number of "{m,n}"; *p is behind the brace, and moved on. */
static unsigned long
highest(const char **p)
{
	unsigned long count = 0;

	for (; isdigit((unsigned char)**p) || **p == ','; (*p)++) {
		if (**p == ',' && isdigit((unsigned char)(*p)[1]))
			count = 0;
		else if (**p != ',' && count < 100000)
			count = count * 10 + (unsigned long)(**p - '0');
	}
	return count > 1 ? count : 1;
}

/*
 * regcomp(3) writes "x+" as "xx*": twice what may itself be repeated.  And a
 * sign of repetition right behind another one makes it look at many more ways:
 * "$o??+++" is a millisecond, one "+" more is seconds.
 */
const char *
needle_problem(const char *ere)
{
	unsigned long product = 1;
	const char *p = ere;
	char before = '\0', c;

	if (strlen(ere) > ERE_MAX)
		return "it is longer than 1024 bytes";
	while ((c = *p++) != '\0') {
		if (c == '{')
			product *= highest(&p);
		else if (strchr("+*?", c) != NULL && before != '\0' &&
		    strchr(c == '+' ? "+*?})" : "+*?}", before) != NULL)
			product *= strchr("+*?", before) != NULL ? 10 : 2;
		if (product > REPEAT_MAX)
			return "its repetitions multiply to more than 1000";
		before = c;
	}
	return NULL;
}
