/*
 * relay_key: what a relay and we know each other by: our identity towards it,
 * and the host keys that the configuration pins.
 */
#ifndef SERVER_RELAY_KEY_H
#define SERVER_RELAY_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include <libssh/libssh.h>

#include "config.h"
#include "keyring.h"

#define RELAY_KEY_WHY 512
#define RELAY_KEY_ALGORITHMS 256

/*
 * The ed25519 key in this file (OpenSSH format, mode 0600, no passphrase).
 * NULL with the reason and a remedy in why.  The caller owns it:
 * ssh_key_free.
 */
ssh_key relay_key_load(const struct keyring *, const char *path, char *why,
    size_t size);

/* The host key algorithms of the pinned keys, as libssh wants them. */
void relay_key_algorithms(const struct config_relay *,
    char dst[RELAY_KEY_ALGORITHMS]);

/*
 * Is this (base64 of the key blob) one of the pinned keys?  When not, why
 * names all fingerprints that were expected, and the one seen.
 */
bool relay_key_is_pinned(const struct config_relay *, const char *base64,
    const char *fingerprint, char *why, size_t size);

/*
 * What goes into authorized_keys at the relay for this public key (base64).
 * The caller frees.
 */
char *relay_key_line(const struct config_relay *, const char *base64,
    const char *box);

/*
 * The host by which the relay itself reaches what listens on this one: what
 * the self-test asks for, and permitopen must name.
 */
const char *relay_key_open_host(const char *listen_host);

/* A forward whose port the relay chooses is among them. */
bool relay_key_any_port(const struct config_relay *);

#endif
