/*
 * "ssh-config": what an admin puts into ~/.ssh/config to come in through our
 * relays.  All boxes behind a relay look like "localhost:PORT" to ssh: what
 * keeps them apart is HostKeyAlias.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "relays_internal.h"

#define ALIAS_MAX 160

struct writer {
	struct relays *all;
	const struct feed_task *task;
	const char *user;	/* NULL: not known */
	size_t hosts;
};

static void
put_head(const struct writer *w)
{
	struct feed *f = w->all->feed;
	uint32_t id = w->task->id;

	feed_toldf(f, id, 1,
	    "# %s: for ~/.ssh/config.  What the jump needs (the name of your\n"
	    "# account at the relay, its key) belongs into a block of its "
	    "own.\n"
	    "# The user name says what you want: your own name for a menu, "
	    "that of\n"
	    "# a console (ssh -l CONSOLE), or USER:CONSOLE.\n"
	    "#\n"
	    "# This line belongs into ~/.ssh/known_hosts_oob:\n"
	    "# oob-%s ssh-ed25519 %s\n",
	    w->all->box, w->all->box, w->all->world.box_key);
}

/* The n-th way in of this relay, of all relays. */
static void
name_host(const struct writer *w, const char *relay, size_t nth,
    char dst[ALIAS_MAX])
{
	if (w->hosts == 0)
		snprintf(dst, ALIAS_MAX, "%s %s-%s", w->all->box,
		    w->all->box, relay);
	else if (nth == 0)
		snprintf(dst, ALIAS_MAX, "%s-%s", w->all->box, relay);
	else
		snprintf(dst, ALIAS_MAX, "%s-%s-%zu", w->all->box, relay,
		    nth + 1);
}

/* Does the relay listen only for those who are logged in there? */
static bool
is_local(const char *host)
{
	return strcasecmp(host, "localhost") == 0 ||
	    strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static bool
is_any(const char *host)
{
	return host[0] == '\0' || strcmp(host, "*") == 0 ||
	    strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static void
put_host(struct writer *w, const struct relays_one *one, const char *listen,
    const struct relay_view_listen *now, size_t nth)
{
	const struct config_relay *c = one->conf;
	struct feed *f = w->all->feed;
	uint32_t id = w->task->id;
	char alias[ALIAS_MAX], host[256];
	unsigned port;

	if (config_listen_split(listen, host, sizeof(host), &port) == -1)
		return;
	if (port == 0 && now != NULL)
		port = now->bound;
	name_host(w, c->name, nth, alias);
	w->hosts++;
	if (port == 0) {
		feed_toldf(f, id, 1, "\n# %s: relay %s chooses the port, and "
		    "is not connected now\n", alias, c->name);
		return;
	}
	feed_toldf(f, id, 1, "\nHost %s\n\tHostName %s\n\tPort %u\n", alias,
	    is_any(host) ? c->host : host, port);
	if (w->user != NULL)
		feed_toldf(f, id, 1, "\tUser %s\n", w->user);
	if (is_local(host) && c->port == 22)
		feed_toldf(f, id, 1, "\tProxyJump %s\n", c->host);
	else if (is_local(host))
		feed_toldf(f, id, 1, strchr(c->host, ':') != NULL ?
		    "\tProxyJump [%s]:%u\n" : "\tProxyJump %s:%u\n", c->host,
		    c->port);
	feed_toldf(f, id, 1, "\tHostKeyAlias oob-%s\n"
	    "\tUserKnownHostsFile ~/.ssh/known_hosts_oob\n"
	    "\tCheckHostIP no\n", w->all->box);
}

void
relays_ssh_config(struct relays *all, const struct feed_task *t)
{
	struct writer w = { .all = all, .task = t };
	struct relay_view v;

	if (t->argc > 1) {
		feed_toldf(all->feed, t->id, 2, "usage: ssh-config\n");
		feed_done(all->feed, t->id, ST_USAGE);
		return;
	}
	/* Who asks on the box itself may be nobody of the configuration. */
	if (strcmp(t->via, "ssh") == 0 || strncmp(t->via, "relay ", 6) == 0)
		w.user = t->user;
	put_head(&w);
	for (size_t i = 0; i < all->n; i++) {
		struct relays_one *one = all->ones[i];

		if (!one->named)
			continue;
		relay_view(one->relay, &v);
		for (size_t k = 0; k < one->conf->nlisten; k++)
			put_host(&w, one, one->conf->listen[k],
			    k < v.nlistens ? &v.listens[k] : NULL, k);
	}
	if (w.hosts == 0)
		feed_toldf(all->feed, t->id, 2, "oobd: no relay is "
		    "configured: there is no other way in than the addresses "
		    "of ssh { listen }\n");
	feed_done(all->feed, t->id, w.hosts == 0 ? ST_FAILED : ST_OK);
}
