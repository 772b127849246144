/*
 * sshsig: signatures in OpenSSH's form (PROTOCOL.sshsig), Ed25519 only, which
 * ssh-keygen -Y verify accepts.  Pure.
 */
#ifndef AUTH_SSHSIG_H
#define AUTH_SSHSIG_H

#include <stddef.h>
#include <stdint.h>

#define SSHSIG_SEED 32
#define SSHSIG_PUBLIC 32
#define SSHSIG_KEY 100		/* "ssh-ed25519 AAAA..." */
#define SSHSIG_PRINT 52		/* "SHA256:..." */
#define SSHSIG_TEXT 512		/* base64 of a signature, without armour */

/* A new private key, to be wiped by its owner. */
void sshsig_generate(uint8_t seed[SSHSIG_SEED]);
void sshsig_public(const uint8_t seed[SSHSIG_SEED],
    uint8_t public[SSHSIG_PUBLIC]);

/* As files have it.  Reading takes the first such key in the text. */
void sshsig_key_text(const uint8_t public[SSHSIG_PUBLIC],
    char dst[SSHSIG_KEY]);
int sshsig_key_parse(const char *text, uint8_t public[SSHSIG_PUBLIC]);
void sshsig_print(const uint8_t public[SSHSIG_PUBLIC],
    char dst[SSHSIG_PRINT]);

/* Sign n bytes: what stands between the armour's lines, as one. */
void sshsig_sign(const uint8_t seed[SSHSIG_SEED], const char *space,
    const void *message, size_t n, char dst[SSHSIG_TEXT]);

/* 0, and whose it is; -1: it is no valid signature of that. */
int sshsig_verify(const char *text, const char *space, const void *message,
    size_t n, uint8_t public[SSHSIG_PUBLIC]);

#endif
