/*
 * modem_at: the AT command interpreter of one port: echo, command lines,
 * answers with their result codes, the prompt, data mode.  What the commands
 * do is in tables.
 */
#ifndef SIM_MODEM_AT_H
#define SIM_MODEM_AT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../server/base/loop.h"

struct at;
struct stick;

#define AT_LINE 1024		/* most bytes of a command line */
#define AT_TYPED 8192		/* most bytes typed ahead of an answer */
#define AT_INFO 131072		/* most bytes of an answer */
#define AT_HELD 4096		/* most bytes held back in data mode */

/* What a command results in. */
enum {
	AT_OK,
	AT_ERROR,
	AT_NO_CARRIER,
	AT_NOT_SUPPORT,		/* as Huawei says it */
	AT_LATER,		/* at_finish will say */
};
#define AT_CME(n) (1000 + (n))
#define AT_CMS(n) (2000 + (n))

/* Kinds of commands; bits, for the tables. */
enum {
	AT_EXEC = 1,		/* +X */
	AT_READ = 2,		/* +X? */
	AT_SET = 4,		/* +X=..., and digits after a letter */
	AT_TEST = 8,		/* +X=? */
};

/* What a command needs. */
enum {
	AT_CARD = 1,		/* an unlocked SIM card, else a CME error */
	AT_CARD_SMS = 2,	/* the same, else a CMS error */
};

struct at_call {
	struct at *at;
	struct stick *stick;
	const char *name;
	int kind;
	char *args;		/* behind the = or the letter; to be cut up */
};

typedef int at_run_fn(struct at_call *);

struct at_command {
	const char *name;	/* "+CSQ", "E", "&D"; NULL ends a table */
	uint8_t kinds;
	uint8_t needs;
	const char *test;	/* behind the name for +X=?, or NULL */
	at_run_fn *run;
};

struct at_settings {
	bool echo, verbose, quiet;
	int cmee, x, dtr;	/* ATX, AT&D */
	int cnmi[5];
	int creg, cgreg;
};

/* index: of the port.  Never NULL. */
struct at *at_new(struct stick *, int index);
void at_free(struct at *);			/* NULL is fine */
/* As after power up. */
void at_reset(struct at *);
/* As ATZ does. */
void at_defaults(struct at *);

int at_index(const struct at *);
struct at_settings *at_settings(struct at *);

void at_input(struct at *, const uint8_t *, size_t n);
/* Bytes as they are, faults apart. */
void at_raw(struct at *, const void *, size_t n);

/* For commands: a line of the answer. */
void at_line(struct at *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
/* Carry on with then after ms.  AT_LATER. */
int at_wait(struct at *, int64_t ms, at_run_fn *then);
/* Prompt, and carry on with then: its args are what was typed.  AT_LATER. */
int at_prompt(struct at *, at_run_fn *then);
/* The result of a command that said AT_LATER. */
void at_finish(struct at *, int result);

/*
 * The next field of args up to a comma, without quotes and blanks, into dst.
 * False: there is none, dst is "".
 */
bool at_field(char **args, char *dst, size_t size);
/* The next field as a number; fallback when it is empty.  -1: it is none. */
int at_number(char **args, int64_t fallback, int64_t *out);

/* A line said unasked.  In data mode and at the prompt: held back, or lost. */
void at_urc(struct at *, const char *line, bool hold);

/* The dialled connection is there: say so and be in data mode. */
void at_connect(struct at *, const char *text);
/* Data mode is over, with this result. */
void at_back(struct at *, int result);

/* It says nothing and hears nothing, until this or a reset. */
void at_silence(struct at *, bool);
/* Lines end with \r\r\n. */
void at_double_cr(struct at *, bool);

#endif
