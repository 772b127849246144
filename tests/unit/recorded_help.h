/*
 * recorded_help: a console "gw" with a record of its own, for the tests of
 * what reads records.  Include cmocka.h first.
 */
#ifndef TESTS_RECORDED_HELP_H
#define TESTS_RECORDED_HELP_H

#include "journal_help.h"

#define WORDS_MAX 16

struct recorded {
	struct scratch s;
	struct journal *j;
};

/* The console says this, at ms after T0. */
static inline void
put(struct journal *j, int64_t at, const char *s)
{
	assert_int_equal(journal_data(j, ms(at), s, strlen(s)), strlen(s));
}

static inline void
recorded_begin(struct recorded *r)
{
	scratch_make(&r->s);
	r->j = journal_at(&r->s, 0, 0);
}

static inline struct recorded *
recorded_new(void)
{
	struct recorded *r = xcalloc(1, sizeof(*r));

	recorded_begin(r);
	return r;
}

/* A teardown: *state is a struct recorded, or begins with one. */
static inline int
drop(void **state)
{
	struct recorded *r = *state;

	journal_free(r->j);
	scratch_drop(&r->s);
	free(r);
	return 0;
}

/* Options as a person types them, cut at blanks, behind the argc words that
 * argv[WORDS_MAX] begins with.  copy holds them. */
static inline int
add_words(char *argv[], int argc, char copy[200], const char *options)
{
	snprintf(copy, 200, "%s", options);
	for (char *w = strtok(copy, " "); w != NULL && argc < WORDS_MAX;
	    w = strtok(NULL, " "))
		argv[argc++] = w;
	return argc;
}

#endif
