/*
 * keys: the escape keys of a terminal session.  Pure: bytes in, what they
 * mean out.  A user's lead-in is one control byte (^E unless configured) and
 * the letter c, then a key.  What turns out not to be an escape is given back
 * and goes to the line unchanged.
 *
 * Time is the caller's: while keys_pending, three seconds (KEYS_WAIT_MS)
 * without a byte mean keys_flush.
 */
#ifndef SERIAL_KEYS_H
#define SERIAL_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_WAIT_MS 3000
#define KEYS_HELD_MAX 4		/* most bytes given back at once */
#define KEYS_LEAD 5		/* ^E */
#define KEYS_OFF (-1)

enum keys_does {
	KEYS_NOTHING,		/* bytes may have been given back */
	KEYS_LEAVE,
	KEYS_HELP,
	KEYS_TAKE,
	KEYS_WATCH,
	KEYS_ASK,
	KEYS_WHO,
	KEYS_RECENT,		/* last 20 lines */
	KEYS_RECENT_MORE,	/* last 60 */
	KEYS_BREAK,
	KEYS_NOTE,
	KEYS_SWITCH,		/* other console */
	KEYS_INFO,
	KEYS_RECORD,
	KEYS_LITERAL,		/* the lead-in was given back */
	KEYS_UNKNOWN,
};

enum keys_state {		/* the number of bytes held back */
	KEYS_PLAIN,
	KEYS_LED,		/* lead-in byte seen */
	KEYS_READY,		/* and the c */
	KEYS_BREAK_NUMBER,	/* and an l: 0 follows */
};

struct keys {
	int lead;
	enum keys_state state;
};

/* lead: a byte, or KEYS_OFF: everything is plain. */
void keys_init(struct keys *, int lead);

/*
 * How many of n bytes are plain from here on: they go to the line as they
 * are.  0 when the next byte is for keys_byte.
 */
size_t keys_plain(const struct keys *, const void *, size_t n);

/*
 * One byte.  *nout (up to KEYS_HELD_MAX) bytes of out go to the line, then
 * what is returned is to be done.
 */
enum keys_does keys_byte(struct keys *, uint8_t, uint8_t out[KEYS_HELD_MAX],
    size_t *nout);

/* Something is held back. */
bool keys_pending(const struct keys *);
/* Give it back: how many bytes of out. */
size_t keys_flush(struct keys *, uint8_t out[KEYS_HELD_MAX]);

/* The lead-in as people write it, "^Ec"; "" when it is off.  Returns dst. */
#define KEYS_TEXT 8
char *keys_text(char dst[KEYS_TEXT], int lead);
/* "^E", "off", or one control character: the lead byte or KEYS_OFF in *lead.
   0, or -1 when it is none of these. */
int keys_parse_lead(const char *, int *lead);

/* The table, for help and the man page.  False: i is beyond its end. */
struct keys_help {
	const char *key;	/* as typed after the lead-in: "." */
	const char *help;	/* a few words */
	const char *more;	/* a sentence for the man page */
};
bool keys_help_at(size_t i, struct keys_help *);

#endif
