/*
 * ssh_key: the server's host key, ed25519, one per box.
 */
#ifndef SERVER_SSH_KEY_H
#define SERVER_SSH_KEY_H

#include <stddef.h>

#include <libssh/libssh.h>

#define SSH_KEY_FINGERPRINT 64

/*
 * The key in this file (OpenSSH format); made there, mode 0600, when there is
 * no such file.  NULL with the reason and a remedy in why.  The caller owns
 * it: ssh_key_free.
 */
ssh_key ssh_key_host(const char *path, char *why, size_t size);

/* "SHA256:..." as ssh-keygen -l shows it.  Returns dst. */
char *ssh_key_fingerprint(char dst[SSH_KEY_FINGERPRINT], ssh_key);

#endif
