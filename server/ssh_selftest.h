/*
 * ssh_selftest: a login to ourselves, in this process, before it serves
 * anybody: does libssh work here, and can what a client signs be listened to
 * (ssh_proof.h)?
 */
#ifndef SERVER_SSH_SELFTEST_H
#define SERVER_SSH_SELFTEST_H

#include <stdint.h>

#define SSH_SELFTEST_MS 5000	/* enough, and bearable; it takes 20 */

/* The higher, the more of it works. */
enum ssh_selftest {
	SSH_SELFTEST_NOTHING,	/* not even the login */
	SSH_SELFTEST_LOGIN,
	SSH_SELFTEST_PROOF,	/* and it was heard what the client signed */
};

/* After ssh_proof_listen; within ms.  *why it is not more: a constant. */
enum ssh_selftest ssh_selftest(int64_t ms, const char **why);

#endif
