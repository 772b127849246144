/*
 * ssh_offer: what we agree to in a key exchange, as server and as client.
 */
#ifndef SERVER_SSH_OFFER_H
#define SERVER_SSH_OFFER_H

#include <stdbool.h>

#include <libssh/libssh.h>

/* libssh ignores the names that it does not know. */
#define SSH_OFFER_KEX "mlkem768x25519-sha256,sntrup761x25519-sha512," \
	"sntrup761x25519-sha512@openssh.com," \
	"curve25519-sha256,curve25519-sha256@libssh.org"
#define SSH_OFFER_CIPHERS "chacha20-poly1305@openssh.com," \
	"aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr," \
	"aes192-ctr,aes128-ctr"
#define SSH_OFFER_MACS "hmac-sha2-512-etm@openssh.com," \
	"hmac-sha2-256-etm@openssh.com"

/*
 * Make this new session a client's that heeds no file of the system's or of a
 * user's.  False: libssh refuses.
 */
bool ssh_offer_client(ssh_session);

#endif
