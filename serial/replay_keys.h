/*
 * replay_keys: what somebody types during a replay: keys of several bytes,
 * and lines of text.  Pure.
 */
#ifndef SERIAL_REPLAY_KEYS_H
#define SERIAL_REPLAY_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum replay_key {
	REPLAY_KEY_NONE,	/* nothing yet, or nothing known */
	REPLAY_KEY_QUIT,
	REPLAY_KEY_PAUSE,
	REPLAY_KEY_STEP,
	REPLAY_KEY_FASTER,
	REPLAY_KEY_SLOWER,
	REPLAY_KEY_BACK,	/* 10 s */
	REPLAY_KEY_FORWARD,
	REPLAY_KEY_BACK_FAR,	/* 1 min */
	REPLAY_KEY_FORWARD_FAR,
	REPLAY_KEY_NEXT,	/* event */
	REPLAY_KEY_PREVIOUS,
	REPLAY_KEY_SEARCH,	/* asks for text: a line follows */
	REPLAY_KEY_SEARCH_BACK,
	REPLAY_KEY_AGAIN,
	REPLAY_KEY_GO,		/* asks for text */
	REPLAY_KEY_HELP,
	REPLAY_KEY_LINE,	/* the text is there */
	REPLAY_KEY_CANCEL,	/* it was given up */
};

#define REPLAY_LINE 200

struct replay_keys {
	int escape;		/* bytes of an escape sequence seen */
	bool asking;
	size_t n;
	char line[REPLAY_LINE];	/* NUL-terminated */
};

/* A byte came. */
enum replay_key replay_keys_byte(struct replay_keys *, int c);

/* From now on bytes make a line, until REPLAY_KEY_LINE or _CANCEL. */
void replay_keys_ask(struct replay_keys *);

/* The table of keys, for people: lines with LF. */
const char *replay_keys_help(void);

#endif
