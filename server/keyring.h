/*
 * keyring: the private keys of the ssh process, as files that the supervisor
 * has opened: the process itself may open none.  Held until they are used.
 */
#ifndef SERVER_KEYRING_H
#define SERVER_KEYRING_H

#include <stdbool.h>
#include <stddef.h>

#define KEYRING_MAX 17		/* the host key, and one for each relay */
#define KEYRING_BYTES 16384	/* of a key file */

struct keyring;

struct keyring *keyring_new(void);	/* never NULL */
void keyring_free(struct keyring *);	/* closes all; NULL is fine */

/* This is the file of that path now; fd is taken over, -1: there is none. */
void keyring_put(struct keyring *, const char *path, int fd, int error);

/* It was used: nothing is held, and nothing was said of it. */
void keyring_drop(struct keyring *, const char *path);

/*
 * What is in the file of this path: given here, or (ring NULL, or while
 * nothing was said of it) opened now.  NULL with errno: EPERM when others
 * may read it.  To be wiped: freezero.
 */
char *keyring_read(const struct keyring *, const char *path);

#endif
