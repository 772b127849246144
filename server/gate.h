/*
 * gate: the role that checks what somebody typed to log in: a password, a
 * one-time code, or both.  One process per login, started by the supervisor,
 * which gets one question and gives one answer; so that neither the time nor
 * the memory that this takes is the ssh process's, nor is what it reads.
 */
#ifndef SERVER_GATE_H
#define SERVER_GATE_H

#define GATES_MAX 2		/* at a time */
#define GATE_LIMIT_MS 20000	/* then it is killed */
#define GATE_TEXT 300		/* of a password or code, with NUL */
#define GATE_WHY 80

/*
 * argv: the state folder, and "totp" when time-based codes count, too.  GT_ASK
 * comes on fd, GT_ANSWER goes back.  Returns the exit status.
 */
int gate_main(int fd, int argc, char *const argv[]);

#endif
