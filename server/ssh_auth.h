/*
 * ssh_auth: who a login name and a key are.  Pure; knows no SSH library.
 *
 * The key says who it is, the login name says what is wanted: "USER",
 * "CONSOLE" or "USER:CONSOLE".  The configuration makes both clear: no user
 * has a console's name, no two users have the same key.  A certificate says
 * who it is by its principals, if an authority of that user signed it.
 */
#ifndef SERVER_SSH_AUTH_H
#define SERVER_SSH_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "feed.h"

struct ssh_auth;

#define SSH_AUTH_NAME 33
#define SSH_AUTH_LOGIN (2 * SSH_AUTH_NAME)	/* "USER:CONSOLE" and NUL */

struct ssh_auth_offer {
	const char *login;	/* as the client gave it */
	const char *blob;	/* the public key or certificate, base64 */
	const char *from;	/* address as text; "" or a name: none */
	int64_t utc_us;
	bool clock;		/* that is the right time: synchronised */
};

struct ssh_auth_who {
	char user[SSH_AUTH_NAME];
	char console[SSH_AUTH_NAME];	/* "": the login name gives none */
	int escape;
	unsigned ways;			/* bits of enum config_way */
};

/* The keys of all users; conf must live as long.  Never NULL. */
struct ssh_auth *ssh_auth_new(const struct config *conf);
void ssh_auth_free(struct ssh_auth *);		/* NULL is fine */

/* Users who may use consoles for now beyond the configuration; copied. */
void ssh_auth_granted(struct ssh_auth *, const struct feed_granted *,
    size_t n);

/* Ask of who it is alone: every user may use every console. */
void ssh_auth_any_console(struct ssh_auth *);

/*
 * May this key log in by this name?  NULL and *who filled, or why not: for
 * the log only, a client must not learn it.  Every key of every user is
 * looked at whatever the name is, so that all refusals take the same time.
 */
const char *ssh_auth_find(const struct ssh_auth *,
    const struct ssh_auth_offer *, struct ssh_auth_who *);

/*
 * The same for somebody who shows no key: the login name alone says who it
 * would be.  NULL and *who filled, or why a password does not help there: for
 * the log only.
 */
const char *ssh_auth_named(const struct ssh_auth *, const char *login,
    struct ssh_auth_who *);

/* As config_shown_login. */
char *ssh_auth_shown(const struct ssh_auth *, const char *login,
    char dst[CONFIG_SHOWN_LOGIN]);

/* Does any user log in with a password (and a code)? */
bool ssh_auth_takes_passwords(const struct ssh_auth *);

#endif
