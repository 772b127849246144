#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/keys.h"
#include "base/log.h"
#include "base/mem.h"
#include "ssh_auth.h"

/* A key and whose it is, in the order of the file. */
struct entry {
	struct key *key;
	const struct config_user *user;
};

struct ssh_auth {
	const struct config *conf;
	struct entry *entries;
	size_t n;
};

/* What a login name asks for; console "" is none. */
struct wish {
	char user[SSH_AUTH_NAME];	/* "": whoever the key says */
	char console[SSH_AUTH_NAME];
};

static void
add_key(struct ssh_auth *a, const struct config_user *user, const char *line)
{
	struct key *key;
	char err[KEY_ERROR];

	/* The configuration was checked: a bad line is a bug, not a grant. */
	if (key_parse(line, &key, err, sizeof(err)) != 1) {
		log_error("user %s: key left out: %s", user->name, err);
		return;
	}
	a->entries = xreallocarray(a->entries, a->n + 1, sizeof(*a->entries));
	a->entries[a->n].key = key;
	a->entries[a->n++].user = user;
}

struct ssh_auth *
ssh_auth_new(const struct config *conf)
{
	struct ssh_auth *a = xcalloc(1, sizeof(*a));

	a->conf = conf;
	for (size_t i = 0; i < conf->nusers; i++) {
		for (size_t k = 0; k < conf->users[i].nkeys; k++)
			add_key(a, &conf->users[i], conf->users[i].keys[k]);
	}
	return a;
}

void
ssh_auth_free(struct ssh_auth *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n; i++)
		key_free(a->entries[i].key);
	free(a->entries);
	free(a);
}

/* False when no name of ours looks like that. */
static bool
parse_login(const struct config *conf, const char *login, struct wish *w)
{
	const char *colon = strchr(login, ':');
	size_t n = colon == NULL ? strlen(login) : (size_t)(colon - login);

	memset(w, 0, sizeof(*w));
	if (n == 0 || n >= SSH_AUTH_NAME)
		return false;
	if (colon != NULL) {
		if (colon[1] == '\0' || strlen(colon + 1) >= SSH_AUTH_NAME)
			return false;
		memcpy(w->user, login, n);
		strcpy(w->console, colon + 1);
	} else if (config_user(conf, login) != NULL) {
		memcpy(w->user, login, n);
	} else {
		memcpy(w->console, login, n);
	}
	return true;
}

static const char *
judge(const struct ssh_auth *a, const struct entry *e, const struct wish *w,
    const struct ssh_auth_offer *offer)
{
	const char *why = NULL;

	if (w->user[0] != '\0' && strcmp(e->user->name, w->user) != 0)
		return "the key is another user's";
	if (w->console[0] != '\0' &&
	    (config_console(a->conf, w->console) == NULL ||
	    !config_user_sees(e->user, w->console)))
		return "no such console for this user";
	if ((config_user_ways(e->user) &
	    (CONFIG_WAY_KEY | CONFIG_WAY_KEY_CODE)) == 0)
		return "keys do not get this user in";
	if (!key_allows(e->key, offer->from, offer->utc_us, &why))
		return why;
	return NULL;
}

static void
fill(struct ssh_auth_who *who, const struct config_user *user,
    const struct wish *w)
{
	memset(who, 0, sizeof(*who));
	snprintf(who->user, sizeof(who->user), "%s", user->name);
	snprintf(who->console, sizeof(who->console), "%s", w->console);
	who->escape = user->escape;
	who->ways = config_user_ways(user);
}

const char *
ssh_auth_find(const struct ssh_auth *a, const struct ssh_auth_offer *offer,
    struct ssh_auth_who *who)
{
	const struct entry *found = NULL;
	const char *why = "unknown key", *not;
	struct wish w;
	bool possible = parse_login(a->conf, offer->login, &w);

	for (size_t i = 0; i < a->n; i++) {
		const struct entry *e = &a->entries[i];

		if (!key_matches(e->key, offer->blob))
			continue;
		not = possible ? judge(a, e, &w, offer) : "unknown name";
		if (not == NULL && found == NULL)
			found = e;
		else
			why = not;
	}
	memset(who, 0, sizeof(*who));
	if (found == NULL)
		return why;
	fill(who, found->user, &w);
	return NULL;
}

const char *
ssh_auth_named(const struct ssh_auth *a, const char *login,
    struct ssh_auth_who *who)
{
	const struct config_user *user;
	struct wish w;

	memset(who, 0, sizeof(*who));
	if (!parse_login(a->conf, login, &w) || w.user[0] == '\0')
		return "unknown name";
	user = config_user(a->conf, w.user);
	if (user == NULL)
		return "unknown name";
	if ((config_user_ways(user) & CONFIG_WAY_PASSWORD_CODE) == 0)
		return "a password does not get this user in";
	if (w.console[0] != '\0' &&
	    (config_console(a->conf, w.console) == NULL ||
	    !config_user_sees(user, w.console)))
		return "no such console for this user";
	fill(who, user, &w);
	return NULL;
}

bool
ssh_auth_takes_passwords(const struct ssh_auth *a)
{
	for (size_t i = 0; i < a->conf->nusers; i++) {
		if ((config_user_ways(&a->conf->users[i]) &
		    CONFIG_WAY_PASSWORD_CODE) != 0)
			return true;
	}
	return false;
}
