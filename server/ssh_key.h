/*
 * ssh_key: ed25519 keys of our own: the server's host key, one per box, and
 * identities towards relays.
 */
#ifndef SERVER_SSH_KEY_H
#define SERVER_SSH_KEY_H

#include <sys/types.h>

#include <stddef.h>

#include <libssh/libssh.h>

#define SSH_KEY_FINGERPRINT 64

/*
 * Make an ed25519 key in this file, mode 0600, owned by uid and gid (-1: ours).
 * It appears whole or not at all, and never replaces another one.  0, or -1
 * with the reason and a remedy in why, errno EEXIST when there is one.
 */
int ssh_key_make(const char *path, uid_t uid, gid_t gid, char *why,
    size_t size);

/*
 * The key in this file (OpenSSH format), see keyring.h; made there, mode 0600,
 * when there is no such file.  NULL with the reason and a remedy in why.  The
 * caller owns it: ssh_key_free.
 */
struct keyring;
ssh_key ssh_key_host(const struct keyring *, const char *path, char *why,
    size_t size);

/* "SHA256:..." as ssh-keygen -l shows it.  Returns dst. */
char *ssh_key_fingerprint(char dst[SSH_KEY_FINGERPRINT], ssh_key);

#endif
