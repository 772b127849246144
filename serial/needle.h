/*
 * needle: what a line must contain before an extended regular expression can
 * match it: a few literal texts, one of which is there.  Looking for these is
 * many times as fast as regexec(3).  Pure.
 */
#ifndef SERIAL_NEEDLE_H
#define SERIAL_NEEDLE_H

#include <stdbool.h>
#include <stddef.h>

#define NEEDLE_MAX 32		/* literals */
#define NEEDLE_BYTES 64		/* of each; longer ones are cut */
#define NEEDLE_ALSO 4

struct needle_text {
	size_t n, rare;			/* the byte to look for first */
	char text[NEEDLE_BYTES];	/* lower case when folded */
};

struct needle {
	bool fold;		/* ASCII case does not matter */
	size_t count;		/* 0: anything may match */
	struct needle_text any[NEEDLE_MAX];
	/* Where count is 1: these must be there as well. */
	size_t nalso;
	struct needle_text also[NEEDLE_ALSO];
};

/*
 * Take them from a POSIX extended expression (with glibc's backslash words),
 * one that regcomp(3) took.  None that is shorter than two bytes is used.
 */
void needle_make(struct needle *, const char *ere, bool fold);

/* A place in p of any of them, the first line's; or NULL.  Needs count > 0. */
const char *needle_find(const struct needle *, const char *p, size_t n);

/* The first place of the i-th alone. */
const char *needle_find_one(const struct needle *, size_t i, const char *p,
    size_t n);

/* A line that has one of them: has it the others, too? */
bool needle_has_all(const struct needle *, const char *p, size_t n);

/*
 * NULL, or why regcomp(3) should not see it: repetitions within repetitions
 * make it take gigabytes.
 */
const char *needle_problem(const char *ere);

#endif
