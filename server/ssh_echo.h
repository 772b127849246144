/*
 * ssh_echo: all that our own drill's login gets: an answer to one command,
 * "drill NONCE", which says the nonce again and how many lines are up, after
 * the console process has answered, too (the last 0 lines of a console).  No
 * session is opened there and nothing is attached, so there is no way from
 * here to a byte that would be typed into a line.
 */
#ifndef SERVER_SSH_ECHO_H
#define SERVER_SSH_ECHO_H

#include "feed.h"

#define SSH_ECHO_COMMAND "drill "
#define SSH_ECHO_NONCE 33	/* 32 hexadecimal digits and NUL */
#define SSH_ECHO_TEXT 100

struct ssh_echo;

/* Once, from the loop: an enum status, and a line for the client. */
typedef void ssh_echo_fn(void *arg, int status, const char *text);

/* command: copied, as far as it matters.  Never NULL. */
struct ssh_echo *ssh_echo_new(struct loop *, struct feed *,
    const char *command, ssh_echo_fn *, void *arg);
void ssh_echo_free(struct ssh_echo *);	/* also from there; NULL is fine */

#endif
