/*
 * command: what an activation SMS asks for,
 *
 *	[OOB] VERB [ARG] CODE
 *
 * e.g. "up 60 12345678".  Upper and lower case, and how many blanks (space,
 * tab, line end, U+00A0, and what phones add unseen: U+200B and its like)
 * stand between and around words do not matter.
 * Anything else is no command: a word too many, a number out of bounds or
 * with a sign, a code that is not exactly eight digits.  Pure.
 */
#ifndef MODEM_COMMAND_H
#define MODEM_COMMAND_H

#include <stddef.h>

#define COMMAND_MAX 160		/* bytes of a text that can be one */
#define COMMAND_CODE 9		/* digits and NUL */
#define COMMAND_MINUTES 1440	/* most that up and extend take */
#define COMMAND_LINES 20	/* most that tail takes */

enum command_verb {
	COMMAND_UP,
	COMMAND_DOWN,
	COMMAND_EXTEND,
	COMMAND_STATUS,
	COMMAND_PING,
	COMMAND_RESET,
	COMMAND_TAIL,
	COMMAND_WHO,
};

struct command {
	enum command_verb verb;
	unsigned arg;		/* minutes or lines; 0: none was given */
	char code[COMMAND_CODE];	/* the caller wipes it */
};

/* n bytes of UTF-8.  0, or -1 and *c is all zero. */
int command_parse(const char *text, size_t n, struct command *c);

const char *command_name(enum command_verb);	/* "up" */

#endif
