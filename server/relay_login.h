/*
 * relay_login: what a drill does once our own host key has answered through
 * the relay: log in with the key that it has for this once, and have its
 * nonce echoed (ssh_echo.h).  Nothing else is asked, and no byte is sent on
 * the channel.
 */
#ifndef SERVER_RELAY_LOGIN_H
#define SERVER_RELAY_LOGIN_H

#include <libssh/libssh.h>

#include "ssh_echo.h"

#define RELAY_LOGIN_WHY 200

struct relay_login;

enum relay_login_word {
	RELAY_LOGIN_ON,		/* call again when something came */
	RELAY_LOGIN_GOOD,	/* why: what the echo said beside the nonce */
	RELAY_LOGIN_BAD,	/* why: for people */
};

/*
 * The session is connected, its key was checked, and stays the caller's, as
 * does the key.  Never NULL.
 */
struct relay_login *relay_login_new(ssh_session, ssh_key,
    const char nonce[SSH_ECHO_NONCE]);
/* Before the session is.  NULL is fine. */
void relay_login_free(struct relay_login *);

/* Never blocks. */
enum relay_login_word relay_login_run(struct relay_login *,
    char why[RELAY_LOGIN_WHY]);

#endif
