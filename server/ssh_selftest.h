/*
 * ssh_selftest: a login to ourselves, in this process, before it serves
 * anybody: can what a client signs be listened to (ssh_proof.h) with the
 * libssh that is here?
 */
#ifndef SERVER_SSH_SELFTEST_H
#define SERVER_SSH_SELFTEST_H

#include <stdbool.h>

#define SSH_SELFTEST_MS 5000	/* then it is given up; it takes 20 */

/* After ssh_proof_listen.  *why: a constant, when it is false. */
bool ssh_selftest(const char **why);

#endif
