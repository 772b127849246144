/*
 * ssh_login: the authentication requests of one connection, counted and
 * judged.  Pure; knows no SSH library.
 *
 * The first request fixes the login name.  A key that is merely offered is
 * judged, but only one that signed decides who it is.  Where that is not
 * enough, or there is no key, what was typed is asked for
 * (keyboard-interactive, RFC 4256) and judged elsewhere.  Refusals all look
 * the same to the client; the log gets the reason.
 *
 * Beside the keys of the configuration there may be a pass: the key of our own
 * drill, good by the login name SSH_LOGIN_DRILL alone.  Who is in by it is
 * SSH_LOGIN_DRILLER, which is no user's name and has no rights; the caller
 * sees to it that he gets nothing but the echo.
 */
#ifndef SERVER_SSH_LOGIN_H
#define SERVER_SSH_LOGIN_H

#include <stdbool.h>

#include "ssh_auth.h"

struct key;

struct ssh_login;

#define SSH_LOGIN_DRILL "drill"
#define SSH_LOGIN_DRILLER "(drill)"
#define SSH_LOGIN_QUERIES_MAX 12	/* keys offered without a signature */

/* What is asked. */
enum ssh_login_method {
	SSH_LOGIN_NONE,		/* costs a query, except the first */
	SSH_LOGIN_OFFER,	/* a key without a signature: a query */
	SSH_LOGIN_SIGNED,	/* a key and its good signature: a try */
	SSH_LOGIN_OTHER,	/* password and the like: a try */
};

struct ssh_login_request {
	enum ssh_login_method method;
	const char *name;	/* the login name */
	const char *blob;	/* the key, base64, or NULL */
	const char *fingerprint;
	const struct key *pass;	/* of the drill, or NULL */
};

/* from: address as text, copied.  Never NULL. */
struct ssh_login *ssh_login_new(const char *from);
/* Is the time of requests to be trusted from now on?  At first it is not. */
void ssh_login_clock(struct ssh_login *, bool trusted);
void ssh_login_free(struct ssh_login *);	/* NULL is fine */

enum ssh_login_answer {
	SSH_LOGIN_NO,
	SSH_LOGIN_OFFERED,	/* this key would do, if it signed */
	SSH_LOGIN_HALF,		/* it signed; now a code */
	SSH_LOGIN_IN,
};

/* Judge a request. */
enum ssh_login_answer ssh_login_request(struct ssh_login *,
    const struct ssh_auth *, const struct ssh_login_request *,
    int64_t utc_us);

/* What is to be asked, and of whom the answers must be right. */
struct ssh_login_ask {
	char user[SSH_AUTH_NAME];	/* "": nobody; it must not show */
	char name[SSH_AUTH_LOGIN];	/* whose it would be, as typed */
	bool password;			/* and the code; else only that */
};

/*
 * Somebody by this name wants to be asked.  False: there is nothing to ask,
 * which costs a try.
 */
bool ssh_login_ask(struct ssh_login *, const struct ssh_auth *,
    const char *name, struct ssh_login_ask *);

/* The answers were right, or why not.  SSH_LOGIN_IN, or _NO, a try. */
enum ssh_login_answer ssh_login_told(struct ssh_login *,
    const struct ssh_auth *, bool right, const char *why, int64_t utc_us);

/* NULL, or why the connection must end now; tries: the limit. */
const char *ssh_login_over(const struct ssh_login *, unsigned tries);

bool ssh_login_is_in(const struct ssh_login *);	/* someone is logged in */
bool ssh_login_is_drill(const struct ssh_login *); /* ... by the pass */
bool ssh_login_is_near(const struct ssh_login *); /* a good key was offered */
bool ssh_login_has_tried(const struct ssh_login *);

/*
 * Is who is in still let in by these keys?  Then *who is brought up to date.
 * A drill is, as long as it lasts.
 */
bool ssh_login_again(struct ssh_login *, const struct ssh_auth *,
    int64_t utc_us);

const struct ssh_auth_who *ssh_login_who(const struct ssh_login *);
/*
 * For the log: login name, "?" where it is none of ours, for it may be a
 * password; the last key, or what else was shown; last reason.  "" if none.
 */
const char *ssh_login_name(const struct ssh_login *);
const char *ssh_login_key(const struct ssh_login *);
const char *ssh_login_why(const struct ssh_login *);
/* As ssh_login_new had it. */
const char *ssh_login_from(const struct ssh_login *);
/* How who is in came in: "key", "key+code", ...; else "". */
const char *ssh_login_way(const struct ssh_login *);

#endif
