#include <stdio.h>

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
