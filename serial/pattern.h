/*
 * pattern: an extended regular expression that may be matched against what a
 * device prints, without fear.  It has no back-references (they take
 * exponential time) and no repetition of a repetition (exponential memory);
 * the caller bounds the lines.  What the C library remembers of the lines it
 * saw is thrown away every PATTERN_FRESH bytes.  Pure.
 */
#ifndef SERIAL_PATTERN_H
#define SERIAL_PATTERN_H

#include <sys/types.h>

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#define PATTERN_REPEAT 64	/* the highest number in {m,n} */
#define PATTERN_FRESH 65536
#define PATTERN_WHY 160

struct pattern;

/* Is it one?  0, or -1 with what to do about it in why. */
int pattern_check(const char *ere, char why[PATTERN_WHY]);

/* Compile it.  NULL with the reason in why: of what was checked, there is no
   memory. */
struct pattern *pattern_new(const char *ere, bool ignore_case,
    char why[PATTERN_WHY]);
void pattern_free(struct pattern *);	/* NULL is fine */

/* line: n bytes of text and NUL. */
bool pattern_matches(struct pattern *, const char *line, size_t n);

/* regexec(3) of a line, which says no, too, when it had no memory to look. */
bool pattern_in(const regex_t *, const char *line);

#endif
