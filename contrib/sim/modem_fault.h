/*
 * modem_fault: what is to go wrong: rules for commands, and lines that are to
 * be said in the middle of an answer.  Pure.
 */
#ifndef SIM_MODEM_FAULT_H
#define SIM_MODEM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULT_RULES 16
#define FAULT_INJECTIONS 32
#define FAULT_TEXT 512

enum fault_action {
	FAULT_NONE,
	FAULT_HANG,		/* no answer, the next command gets one */
	FAULT_DEAD,		/* no answer ever again */
	FAULT_ANSWER,		/* not carried out: text is the answer */
	FAULT_SLOW,		/* carried out number ms later */
	FAULT_GARBAGE,		/* number random bytes before the answer */
	FAULT_CUT,		/* nothing after number bytes of the answer */
};

struct fault {
	enum fault_action action;
	int64_t number;
	char text[FAULT_TEXT];
};

/* Where in an answer a line is said. */
enum fault_where {
	FAULT_ECHO,		/* before the command's echo */
	FAULT_LINE,		/* after so many lines of it */
	FAULT_FINAL,		/* before the final result code */
	FAULT_PROMPT,		/* before "> " */
	FAULT_AFTER,		/* after the final result code */
};

struct faults;

struct faults *faults_new(void);
void faults_free(struct faults *);		/* NULL is fine */

/*
 * "COMMAND [xN] ACTION [ARG]": COMMAND is the beginning of one without its
 * AT ("AT" is the empty one, "*" each, "SUBMIT" a message typed at the
 * prompt), N how often (default always).  words is cut up.  NULL, or what is
 * wrong with it.
 */
const char *faults_add(struct faults *, char *words);
/* "WHERE[:COMMAND] TEXT", once; WHERE: echo info lineN final prompt after. */
const char *faults_inject(struct faults *, char *words);
/* Forget the rules for this COMMAND, or (NULL) everything. */
void faults_clear(struct faults *, const char *command);

/* The rule for this command, which counts as used; FAULT_NONE without. */
void faults_find(struct faults *, const char *command, struct fault *out);
/*
 * What is to be said here, at most once; line counts for FAULT_LINE only.
 * False: nothing.
 */
bool faults_say(struct faults *, enum fault_where, unsigned line,
    const char *command, char text[FAULT_TEXT]);

#endif
