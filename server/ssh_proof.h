/*
 * ssh_proof: what a client signed to log in.
 *
 * libssh checks it and tells the server only that it was good.  Who is not to
 * take our word for that (gate.h) wants to see it himself.  So the two
 * functions of OpenSSL that libssh checks with are ours, which listen and
 * pass on: EVP_DigestVerify for the signature, and EVP_DigestUpdate for what
 * a security key signs only a digest of.
 */
#ifndef SERVER_SSH_PROOF_H
#define SERVER_SSH_PROOF_H

#include <stdbool.h>

/* Base64 of the parts of struct proof; all NULL: none. */
struct ssh_proof {
	char *data, *made, *sig;
};

/* Does this libssh check with functions that we can listen to? */
bool ssh_proof_is_possible(void);

/* From now on, or no more; by a process with one thread. */
void ssh_proof_listen(bool on);

/*
 * The login request that was found good last, since the last call.  To be
 * freed with ssh_proof_free; what it held before is freed.  False: none.
 */
bool ssh_proof_take(struct ssh_proof *);
void ssh_proof_free(struct ssh_proof *);	/* its parts; may be NULL */

#endif
