/*
 * signer: the role that signs one seal of the box's journal and exits, so that
 * the key is in no process that lives on.  The key is made when there is none.
 */
#ifndef SERVER_SIGNER_H
#define SERVER_SIGNER_H

#include <stddef.h>

#define SIGNER_SPACE "journal@oobd"	/* SSH's namespace */
#define SIGNER_KEY "journal_key"	/* in state_dir; .pub beside it */
#define SIGNER_SIGNERS "allowed_signers"	/* in the box's journal */
#define SIGNER_MESSAGE 256
#define SIGNER_ANSWER 1024

/*
 * fd: where the answer goes, the text of an event or nothing.  Words:
 * STATE_DIR LOG_DIR BOX SEAL HASH.  Returns the exit status of the process.
 */
int signer_main(int fd, int argc, char *const argv[]);

/* What is signed: three lines. */
void signer_message(char dst[SIGNER_MESSAGE], const char *box,
    const char *seal, const char *hash);

#endif
