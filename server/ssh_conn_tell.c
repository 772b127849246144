#include <stdio.h>

#include "base/log.h"
#include "ssh_conn_internal.h"

#define PENALTY_MS (10 * 1000)	/* told so often, however many knock */

void
ssh_conn_tell(struct ssh_conn *c, enum auth_what what, const char *why)
{
	const struct ssh_login *l = c->login;
	struct feed_auth a = { .what = what, .login = c->id, .why = why,
	    .user = ssh_login_who(l)->user };

	if (what == AUTH_REFUSED) {
		a.user = ssh_login_name(l);
		c->told_refused = true;
	} else if (what == AUTH_CODE_USED) {
		a.user = c->asked.user;
	}
	if (what != AUTH_LOGOUT) {
		a.from = c->from;
		a.via = c->via;
	}
	if (what == AUTH_LOGIN)
		a.way = ssh_login_way(l);
	if (what == AUTH_LOGIN || what == AUTH_REFUSED)
		a.key = ssh_login_key(l);
	feed_auth(c->all->feed, &a);
}

void
ssh_conn_tell_end(struct ssh_conn *c)
{
	const char *why;

	if (c->state != CONN_LOGIN) {
		log_info("%s from %s left: %s",
		    ssh_login_who(c->login)->user, c->where, c->why);
		ssh_conn_tell(c, AUTH_LOGOUT, c->why);
	} else if (ssh_login_has_tried(c->login)) {
		why = ssh_login_why(c->login);
		log_info("login \"%s\" from %s refused: %s%s%s (%s)",
		    ssh_login_name(c->login), c->where,
		    why[0] != '\0' ? why : c->gate_why[0] != '\0' ?
		    c->gate_why : "the key did not sign",
		    ssh_login_key(c->login)[0] != '\0' ? ", " : "",
		    ssh_login_key(c->login), c->why);
		if (!c->told_refused)
			ssh_conn_tell(c, AUTH_REFUSED, why[0] != '\0' ? why :
			    "the key did not sign");
	} else {
		log_debug("%s: no login: %s", c->where, c->why);
	}
}

void
ssh_conns_tell_penalty(struct ssh_conns *all, const char *from,
    const char *why)
{
	struct mono now = loop_now(all->loop);
	char text[AUTH_WHY];

	if (all->told_penalty.us != 0 &&
	    mono_ms(all->told_penalty, now) < PENALTY_MS) {
		all->untold++;
		return;
	}
	if (all->untold > 0)
		snprintf(text, sizeof(text), "%s; %u more before it", why,
		    all->untold);
	else
		snprintf(text, sizeof(text), "%s", why);
	all->told_penalty = now;
	all->untold = 0;
	feed_auth(all->feed, &(struct feed_auth){ .what = AUTH_PENALTY,
	    .from = from, .via = "ssh", .why = text });
}
