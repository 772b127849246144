/*
 * words: a command line split into words as a shell would: blanks, quotes and
 * backslash, nothing else (no $, no globbing, no operators).  Pure.
 */
#ifndef SERVER_WORDS_H
#define SERVER_WORDS_H

#include <stddef.h>

#include "proto.h"

#define WORDS_TEXT_MAX 32768	/* longest command line, in bytes */

struct words {
	int argc;
	char *argv[ARGS_MAX + 1];	/* NULL after the last */
	char *store;			/* what argv points into */
};

/*
 * 0, and the words, to be given to words_free; -1 with a message that says
 * what is wrong in *why (a constant), and nothing to free.
 */
int words_split(struct words *, const char *text, const char **why);
void words_free(struct words *);

/*
 * The reverse: text that splits into these words.  NULL when it would exceed
 * WORDS_TEXT_MAX or argc ARGS_MAX.  The caller frees.
 */
char *words_join(int argc, char *const argv[]);

#endif
