/*
 * keys: lines of authorized_keys, strictly.  Pure: no file, no network, no
 * SSH library; what a line says is parsed once and asked later.
 *
 * Types: ssh-ed25519, sk-ssh-ed25519@openssh.com, ecdsa-sha2-nistp256, 384
 * and 521, sk-ecdsa-sha2-nistp256@openssh.com, ssh-rsa from 3072 bits on.
 * Certificates (they are nobody's line) and ssh-dss are refused.
 *
 * Options that are honoured: from="addresses", expiry-time="when".  Accepted
 * because they only take away what is never given here: restrict,
 * no-port-forwarding, no-agent-forwarding, no-X11-forwarding, no-user-rc; and
 * pty, which is always given (restrict does not take it away: what a user may
 * see and do is a matter of role and consoles).  cert-authority, with or
 * without principals="names", makes it the key of an authority, which signs
 * certificates and does not log in itself.  Every other option makes the
 * line an error, no-pty among them: it cannot be honoured, and ignoring it
 * would grant more than the line says.
 */
#ifndef AUTH_KEYS_H
#define AUTH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key;

#define KEY_LINE_MAX 8192	/* longest line accepted */
#define KEY_ERROR 256		/* enough for every message of key_parse */
#define KEY_FINGERPRINT 64
#define KEY_RSA_MIN 3072	/* bits */
#define KEY_RSA_MAX 16384

/*
 * Parse one line without its newline.  1 and *key, the caller's to free; 0
 * for a blank line or a comment; -1 with a message that names what is wrong
 * and the remedy.
 */
int key_parse(const char *line, struct key **key, char *err, size_t size);
void key_free(struct key *);		/* NULL is fine */

/* As they stood in the line; valid as long as the key. */
const char *key_type(const struct key *);
const char *key_base64(const struct key *);
/* Safe to display, "" when there was none. */
const char *key_comment(const struct key *);

/* "SHA256:..." as ssh-keygen -l prints it.  Returns dst. */
char *key_fingerprint(char dst[KEY_FINGERPRINT], const struct key *);

/* Does it sign certificates?  It is no key to log in with, then. */
bool key_is_authority(const struct key *);
/* "alice,ops", NULL: none were given. */
const char *key_principals(const struct key *);

/* The same public key (options and comments aside). */
bool key_equal(const struct key *, const struct key *);

/*
 * Is this the public key that base64 holds (the blob that SSH transports)?
 * The time taken does not depend on where they differ.
 */
bool key_matches(const struct key *, const char *base64);

/*
 * May it be used from this address (numeric text; anything else, or NULL,
 * never satisfies a from=) at this time (microseconds UTC)?  When not, *why
 * (may be NULL) says so; it is a constant.
 */
bool key_allows(const struct key *, const char *address, int64_t utc_us,
    const char **why);

#endif
