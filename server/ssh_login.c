#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/keys.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh_login.h"

struct ssh_login {
	char *from;
	bool clock;
	bool named, too_long;
	char name[SSH_AUTH_LOGIN];
	char shown[CONFIG_SHOWN_LOGIN];	/* name, safe to display */
	unsigned tries, queries, nones;
	bool renamed;
	bool near;
	unsigned half;			/* the way in that a code completes */
	unsigned in;			/* ... that was gone; 0: not yet */
	bool drill;			/* in by the pass */
	struct ssh_auth_who who;
	char *blob;			/* the key that signed */
	char fingerprint[KEY_FINGERPRINT];
	const char *why;
	char told[80];			/* what why points to, then */
};

struct ssh_login *
ssh_login_new(const char *from)
{
	struct ssh_login *l = xcalloc(1, sizeof(*l));

	l->from = xstrdup(from);
	l->why = "";
	return l;
}

void
ssh_login_clock(struct ssh_login *l, bool trusted)
{
	l->clock = trusted;
}

void
ssh_login_free(struct ssh_login *l)
{
	if (l == NULL)
		return;
	free(l->from);
	free(l->blob);
	free(l);
}

/* The first name is the one; a longer one than any of ours is nobody's. */
static bool
bind_name(struct ssh_login *l, const struct ssh_auth *auth,
    const char *name)
{
	size_t n = strnlen(name, sizeof(l->name));

	if (!l->named) {
		l->named = true;
		l->too_long = n == sizeof(l->name);
		if (!l->too_long)
			memcpy(l->name, name, n + 1);
		ssh_auth_shown(auth, l->name, l->shown);
		return true;
	}
	if (l->too_long)
		return n == sizeof(l->name);
	return strcmp(l->name, name) == 0;
}

static void
count(struct ssh_login *l, enum ssh_login_method method)
{
	switch (method) {
	case SSH_LOGIN_NONE:
		if (l->nones++ > 0)
			l->queries++;
		break;
	case SSH_LOGIN_OFFER:
		l->queries++;
		break;
	case SSH_LOGIN_SIGNED:
	case SSH_LOGIN_OTHER:
		l->tries++;
		break;
	}
}

static const char *
judge(const struct ssh_login *l, const struct ssh_auth *auth,
    const char *blob, int64_t utc_us, struct ssh_auth_who *who)
{
	const struct ssh_auth_offer offer = {
		.login = l->name,
		.blob = blob,
		.from = l->from,
		.utc_us = utc_us,
		.clock = l->clock,
	};

	return ssh_auth_find(auth, &offer, who);
}

/* Our own drill, by the key that it has for this once. */
static bool
has_pass(const struct ssh_login *l, const struct ssh_login_request *r,
    struct ssh_auth_who *who)
{
	if (r->pass == NULL || strcmp(l->name, SSH_LOGIN_DRILL) != 0 ||
	    l->too_long || !key_matches(r->pass, r->blob))
		return false;
	memset(who, 0, sizeof(*who));
	snprintf(who->user, sizeof(who->user), "%s", SSH_LOGIN_DRILLER);
	who->escape = -1;
	who->ways = CONFIG_WAY_KEY;
	return true;
}

/* The way that this key is, or begins: a key alone where that is enough. */
static unsigned
key_way(const struct ssh_auth_who *who)
{
	return who->ways & CONFIG_WAY_KEY ? CONFIG_WAY_KEY :
	    CONFIG_WAY_KEY_CODE;
}

static enum ssh_login_answer
signed_by(struct ssh_login *l, const char *blob,
    const struct ssh_auth_who *who)
{
	free(l->blob);
	l->blob = xstrdup(blob);
	l->who = *who;
	if (key_way(who) == CONFIG_WAY_KEY) {
		l->in = CONFIG_WAY_KEY;
		return SSH_LOGIN_IN;
	}
	l->half = CONFIG_WAY_KEY_CODE;
	return SSH_LOGIN_HALF;
}

enum ssh_login_answer
ssh_login_request(struct ssh_login *l, const struct ssh_auth *auth,
    const struct ssh_login_request *r, int64_t utc_us)
{
	struct ssh_auth_who who;
	bool drill;

	if (l->in)
		return SSH_LOGIN_NO;
	if (!bind_name(l, auth, r->name)) {
		l->renamed = true;
		l->why = "changed its login name";
		return SSH_LOGIN_NO;
	}
	count(l, r->method);
	if (r->blob == NULL) {
		if (r->method != SSH_LOGIN_NONE)
			l->why = "not a public key";
		return SSH_LOGIN_NO;
	}
	snprintf(l->fingerprint, sizeof(l->fingerprint), "%s",
	    r->fingerprint);
	l->why = judge(l, auth, r->blob, utc_us, &who);
	drill = l->why != NULL && has_pass(l, r, &who);
	if (l->why != NULL && !drill)
		return SSH_LOGIN_NO;
	l->why = "";
	l->near = true;
	l->drill = drill && r->method == SSH_LOGIN_SIGNED;
	if (r->method == SSH_LOGIN_SIGNED)
		return signed_by(l, r->blob, &who);
	return r->method == SSH_LOGIN_OFFER ? SSH_LOGIN_OFFERED :
	    SSH_LOGIN_NO;
}

bool
ssh_login_ask(struct ssh_login *l, const struct ssh_auth *auth,
    const char *name, struct ssh_login_ask *ask)
{
	struct ssh_auth_who who;
	const char *whose;

	memset(ask, 0, sizeof(*ask));
	if (l->in)
		return false;
	if (!bind_name(l, auth, name)) {
		l->renamed = true;
		l->why = "changed its login name";
		return false;
	}
	ask->password = l->half == 0;
	if (l->half != 0)
		who = l->who;
	else if (ssh_auth_takes_passwords(auth))
		(void)ssh_auth_named(auth, l->name, &who);
	else {
		count(l, SSH_LOGIN_OTHER);
		l->why = "not a public key";
		return false;
	}
	memcpy(ask->user, who.user, sizeof(ask->user));
	/* "alice:gw" is alice; a name too long to be kept is one for all. */
	whose = l->half != 0 ? who.user : l->name;
	snprintf(ask->name, sizeof(ask->name), "%.*s",
	    (int)strcspn(whose, ":"), whose);
	return true;
}

/* May who gave the right answers still come this way? */
static const char *
judge_told(struct ssh_login *l, const struct ssh_auth *auth, int64_t utc_us,
    struct ssh_auth_who *who)
{
	const char *why = l->half == 0 ? ssh_auth_named(auth, l->name, who) :
	    judge(l, auth, l->blob, utc_us, who);

	if (why == NULL && l->half != 0 &&
	    strcmp(who->user, l->who.user) != 0)
		why = "the key is another user's by now";
	return why;
}

enum ssh_login_answer
ssh_login_told(struct ssh_login *l, const struct ssh_auth *auth, bool right,
    const char *why, int64_t utc_us)
{
	struct ssh_auth_who who;
	const char *no = judge_told(l, auth, utc_us, &who);

	if (l->in)
		return SSH_LOGIN_NO;
	if (!right || no != NULL) {
		count(l, SSH_LOGIN_OTHER);
		snprintf(l->told, sizeof(l->told), "%s",
		    no != NULL ? no : why);
		l->why = l->told;
		return SSH_LOGIN_NO;
	}
	l->why = "";
	l->who = who;
	if (l->half == 0)
		snprintf(l->fingerprint, sizeof(l->fingerprint), "%s",
		    "password and code");
	l->in = l->half != 0 ? l->half : CONFIG_WAY_PASSWORD_CODE;
	return SSH_LOGIN_IN;
}

const char *
ssh_login_over(const struct ssh_login *l, unsigned tries)
{
	if (l->in)
		return NULL;
	if (l->renamed)
		return "changed its login name";
	if (l->tries >= tries)
		return "too many authentication failures";
	if (l->queries >= SSH_LOGIN_QUERIES_MAX)
		return "too many keys offered";
	return NULL;
}

bool
ssh_login_is_in(const struct ssh_login *l)
{
	return l->in != 0;
}

bool
ssh_login_is_drill(const struct ssh_login *l)
{
	return l->drill;
}

bool
ssh_login_is_near(const struct ssh_login *l)
{
	return l->near;
}

bool
ssh_login_has_tried(const struct ssh_login *l)
{
	return l->tries + l->queries > 0;
}

bool
ssh_login_again(struct ssh_login *l, const struct ssh_auth *auth,
    int64_t utc_us)
{
	struct ssh_auth_who who;
	const char *why = l->in == CONFIG_WAY_PASSWORD_CODE ?
	    ssh_auth_named(auth, l->name, &who) :
	    judge(l, auth, l->blob, utc_us, &who);

	if (l->drill)
		return true;
	if (why != NULL || strcmp(who.user, l->who.user) != 0 ||
	    strcmp(who.console, l->who.console) != 0)
		return false;
	/* A key with a code is as good as the key alone. */
	if (l->in == CONFIG_WAY_KEY && key_way(&who) != CONFIG_WAY_KEY)
		return false;
	l->who = who;
	return true;
}

const struct ssh_auth_who *
ssh_login_who(const struct ssh_login *l)
{
	return &l->who;
}

const char *
ssh_login_name(const struct ssh_login *l)
{
	return l->shown;
}

const char *
ssh_login_from(const struct ssh_login *l)
{
	return l->from;
}

const char *
ssh_login_key(const struct ssh_login *l)
{
	return l->fingerprint;
}

const char *
ssh_login_why(const struct ssh_login *l)
{
	return l->why;
}

const char *
ssh_login_way(const struct ssh_login *l)
{
	if (l->drill)
		return "drill";
	return config_way_text(l->in);
}
