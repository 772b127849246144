/*
 * gate: the role that checks what somebody logs in with: what his key signed,
 * a password, a one-time code.  One process per login, started by the
 * supervisor, which gets one question and gives one answer; so that neither
 * the time nor the memory that this takes is the ssh process's, nor is what
 * it reads.
 *
 * The answer comes with a voucher (auth/voucher.h) for the console process,
 * which takes nobody's word but the gate's for who is logged in.
 */
#ifndef SERVER_GATE_H
#define SERVER_GATE_H

#define GATES_MAX 2		/* at a time, of each kind (ssh_gate.h) */
#define GATE_LIMIT_MS 20000	/* then it is killed */
#define GATE_TEXT 300		/* of a password or code, with NUL */
#define GATE_WHY 80

/*
 * argv: the state folder.  GT_HOUSE and GT_ASK come on fd, GT_ANSWER goes
 * back.  Returns the exit status.
 */
int gate_main(int fd, int argc, char *const argv[]);

#endif
