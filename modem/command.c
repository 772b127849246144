#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "command.h"

#define WORDS_MAX 4
#define ADDRESSED "oob"

struct word {
	const char *p;
	size_t n;
};

static const struct {
	const char *name;
	unsigned arg_max;	/* 0: takes none */
} verbs[] = {
	[COMMAND_UP] = { "up", COMMAND_MINUTES },
	[COMMAND_DOWN] = { "down", 0 },
	[COMMAND_EXTEND] = { "extend", COMMAND_MINUTES },
	[COMMAND_STATUS] = { "status", 0 },
	[COMMAND_PING] = { "ping", 0 },
	[COMMAND_RESET] = { "reset", 0 },
	[COMMAND_TAIL] = { "tail", COMMAND_LINES },
	[COMMAND_WHO] = { "who", 0 },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

const char *
command_name(enum command_verb v)
{
	return verbs[v].name;
}

/* In UTF-8; some are of no width, and come with a word that was pasted. */
static const char *const blanks[] = {
	" ", "\t", "\r", "\n",
	"\xc2\xa0",		/* U+00A0 */
	"\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d",	/* U+200B ... */
	"\xe2\x80\x8e", "\xe2\x80\x8f",			/* ... U+200F */
	"\xe2\x80\xaf",		/* U+202F */
	"\xe2\x81\xa0",		/* U+2060 */
	"\xef\xbb\xbf",		/* U+FEFF */
};

/* Bytes of the blank at p, 0: it is none. */
static size_t
blank(const char *p, size_t n)
{
	for (size_t i = 0; i < sizeof(blanks) / sizeof(blanks[0]); i++) {
		size_t len = strlen(blanks[i]);

		if (n >= len && memcmp(p, blanks[i], len) == 0)
			return len;
	}
	return 0;
}

/* How many words there are; WORDS_MAX + 1 when too many. */
static size_t
split(const char *p, size_t n, struct word words[WORDS_MAX])
{
	const char *end = p + n;
	size_t nwords = 0, len;

	while (p < end) {
		len = blank(p, (size_t)(end - p));
		if (len > 0) {
			p += len;
			continue;
		}
		if (nwords == WORDS_MAX)
			return WORDS_MAX + 1;
		words[nwords].p = p;
		while (p < end && blank(p, (size_t)(end - p)) == 0)
			p++;
		words[nwords].n = (size_t)(p - words[nwords].p);
		nwords++;
	}
	return nwords;
}

static bool
is(const struct word *w, const char *name)
{
	return w->n == strlen(name) && strncasecmp(w->p, name, w->n) == 0;
}

static bool
digits(const struct word *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->p[i] < '0' || w->p[i] > '9')
			return false;
	}
	return w->n > 0;
}

/* 1 to max, of at most four digits.  0 or -1. */
static int
number(const struct word *w, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (!digits(w) || w->n > 4)
		return -1;
	for (size_t i = 0; i < w->n; i++)
		v = v * 10 + (unsigned)(w->p[i] - '0');
	if (v < 1 || v > max)
		return -1;
	*out = v;
	return 0;
}

/* The words between the prefix and the code. */
static int
parse_verb(const struct word *words, size_t n, struct command *c)
{
	for (size_t v = 0; n > 0 && v < VERBS; v++) {
		if (!is(words, verbs[v].name))
			continue;
		c->verb = (enum command_verb)v;
		if (n == 1)
			return 0;
		return n == 2 ? number(words + 1, verbs[v].arg_max, &c->arg) :
		    -1;
	}
	return -1;
}

int
command_parse(const char *text, size_t n, struct command *c)
{
	struct word words[WORDS_MAX], *w = words, *code;
	size_t nwords;

	memset(c, 0, sizeof(*c));
	if (n > COMMAND_MAX)
		return -1;
	nwords = split(text, n, words);
	if (nwords < 2 || nwords > WORDS_MAX)
		return -1;
	code = &words[nwords - 1];
	if (is(w, ADDRESSED)) {
		w++;
		nwords--;
	}
	if (!digits(code) || code->n != COMMAND_CODE - 1 ||
	    parse_verb(w, nwords - 1, c) == -1) {
		memset(c, 0, sizeof(*c));
		return -1;
	}
	memcpy(c->code, code->p, COMMAND_CODE - 1);
	return 0;
}
