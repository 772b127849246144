/*
 * editor: one line of text typed at a terminal that is in raw mode: echo,
 * backspace, ^U and ^W, Enter; Esc, ^C and ^D (on an empty line) cancel.
 * Function keys are ignored.  Pure but for the echo callback.
 */
#ifndef SERVER_EDITOR_H
#define SERVER_EDITOR_H

#include <stddef.h>
#include <stdint.h>

#define EDITOR_MAX 240		/* bytes of text */

struct editor {
	char text[EDITOR_MAX + 1];	/* always terminated */
	size_t n;
};

enum editor_does {
	EDITOR_MORE,
	EDITOR_DONE,
	EDITOR_CANCEL,
};

typedef void editor_echo_fn(void *arg, const char *, size_t n);

void editor_start(struct editor *);

/*
 * Bytes typed.  *used is how many were taken: all of them for EDITOR_MORE,
 * else up to the key that ended it.
 */
enum editor_does editor_type(struct editor *, const void *, size_t n,
    size_t *used, editor_echo_fn *, void *arg);

#endif
