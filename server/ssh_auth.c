#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/cert.h"
#include "../auth/keys.h"
#include "base/log.h"
#include "base/mem.h"
#include "ssh_auth.h"

/* A key and whose it is, in the order of the file. */
struct entry {
	struct key *key;
	const struct config_user *user;	/* NULL: an authority for many, */
	enum role role;			/* ... up to this role */
};

struct ssh_auth {
	const struct config *conf;
	struct entry *entries;
	size_t n;
	struct feed_granted granted[FEED_GRANTS_MAX];
	size_t ngranted;
	bool any_console;
};

/* What a login name asks for; console "" is none. */
struct wish {
	char user[SSH_AUTH_NAME];	/* "": whoever the key says */
	char console[SSH_AUTH_NAME];
};

/* The configuration was checked: a bad line is a bug, not a grant. */
static struct key *
parse(const char *whose, const char *line)
{
	struct key *key;
	char err[KEY_ERROR];

	if (key_parse(line, &key, err, sizeof(err)) == 1)
		return key;
	log_error("%s: key left out: %s", whose, err);
	return NULL;
}

static void
add_key(struct ssh_auth *a, struct key *key, const struct config_user *user,
    enum role role)
{
	if (key == NULL)
		return;
	a->entries = xreallocarray(a->entries, a->n + 1, sizeof(*a->entries));
	a->entries[a->n++] = (struct entry){ key, user, role };
}

/* A key that authorities sign with, whether it says so or not. */
static void
add_authority(struct ssh_auth *a, const struct config_authority *from,
    const char *key)
{
	char *line = xasprintf("cert-authority %s", key);

	add_key(a, parse(from->name, line), NULL, from->role);
	free(line);
}

struct ssh_auth *
ssh_auth_new(const struct config *conf)
{
	struct ssh_auth *a = xcalloc(1, sizeof(*a));

	a->conf = conf;
	for (size_t i = 0; i < conf->nusers; i++) {
		const struct config_user *u = &conf->users[i];

		for (size_t k = 0; k < u->nkeys; k++)
			add_key(a, parse(u->name, u->keys[k]), u, u->role);
	}
	for (size_t i = 0; i < conf->nauthorities; i++) {
		const struct config_authority *from = &conf->authorities[i];

		for (size_t k = 0; k < from->nkeys; k++)
			add_authority(a, from, from->keys[k]);
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

void
ssh_auth_granted(struct ssh_auth *a, const struct feed_granted *list,
    size_t n)
{
	a->ngranted = n < FEED_GRANTS_MAX ? n : FEED_GRANTS_MAX;
	memcpy(a->granted, list, a->ngranted * sizeof(*list));
}

void
ssh_auth_any_console(struct ssh_auth *a)
{
	a->any_console = true;
}

/* May this user use this console, at the moment? */
static bool
sees(const struct ssh_auth *a, const struct config_user *user,
    const char *console)
{
	bool yes = a->any_console || config_user_sees(user, console);

	for (size_t i = 0; i < a->ngranted; i++) {
		if (strcmp(a->granted[i].user, user->name) == 0 &&
		    strcmp(a->granted[i].console, console) == 0)
			yes = true;
	}
	return yes && config_console(a->conf, console) != NULL;
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

/* May this user come by this name, with this line's key or certificate? */
static const char *
judge(const struct ssh_auth *a, const struct config_user *user,
    const struct key *line, const struct wish *w,
    const struct ssh_auth_offer *offer)
{
	const char *why = NULL;

	if (w->user[0] != '\0' && strcmp(user->name, w->user) != 0)
		return "the key is another user's";
	if (w->console[0] != '\0' && !sees(a, user, w->console))
		return "no such console for this user";
	if ((config_user_ways(user) &
	    (CONFIG_WAY_KEY | CONFIG_WAY_KEY_CODE)) == 0)
		return "keys do not get this user in";
	if (!key_allows(line, offer->from, offer->utc_us, &why))
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

static const char *
find_key(const struct ssh_auth *a, const struct ssh_auth_offer *offer,
    const char *blob, struct ssh_auth_who *who)
{
	const struct entry *found = NULL;
	const char *why = "unknown key", *no;
	struct wish w;
	bool possible = parse_login(a->conf, offer->login, &w);

	for (size_t i = 0; i < a->n; i++) {
		const struct entry *e = &a->entries[i];

		if (!key_matches(e->key, blob) || key_is_authority(e->key))
			continue;
		no = possible ? judge(a, e->user, e->key, &w, offer) :
		    "unknown name";
		if (no == NULL && found == NULL)
			found = e;
		else
			why = no;
	}
	if (found == NULL)
		return why;
	fill(who, found->user, &w);
	return NULL;
}

/* "alice,ops": is the certificate for any of these? */
static bool
names_any(const struct cert *c, const char *list)
{
	char one[SSH_AUTH_NAME * 4];
	size_t n;

	for (; *list != '\0'; list += list[n] == ',' ? n + 1 : n) {
		n = strcspn(list, ",");
		if (n >= sizeof(one))
			continue;
		memcpy(one, list, n);
		one[n] = '\0';
		if (cert_names(c, one))
			return true;
	}
	return false;
}

/* Does this authority speak for this user, and the certificate name it? */
static bool
vouches(const struct entry *e, const struct config_user *user,
    const struct cert *c)
{
	const char *principals = key_principals(e->key);

	if (!key_is_authority(e->key) ||
	    !key_matches(e->key, cert_authority(c)))
		return false;
	if (e->user == NULL)
		return user->role <= e->role && cert_names(c, user->name);
	return e->user == user && (principals == NULL ?
	    cert_names(c, user->name) : names_any(c, principals));
}

/* "serial:7", "serial:7-9", "id:TEXT", or a key. */
static bool
is_revoked(const char *entry, const struct cert *c, const char *blob)
{
	unsigned long long first, last;
	const char *key;
	char *end;

	if (strncmp(entry, "id:", 3) == 0)
		return c != NULL && cert_id_is(c, entry + 3);
	if (strncmp(entry, "serial:", 7) == 0) {
		if (c == NULL)
			return false;
		first = last = strtoull(entry + 7, &end, 10);
		if (*end == '-')
			last = strtoull(end + 1, NULL, 10);
		return cert_serial(c) >= first && cert_serial(c) <= last;
	}
	key = strchr(entry, ' ');
	if (key == NULL)
		return false;
	key++;
	return strncmp(key, blob, strcspn(key, " ")) == 0 &&
	    strlen(blob) == strcspn(key, " ");
}

static bool
any_revoked(const struct ssh_auth *a, const struct cert *c, const char *blob)
{
	for (size_t i = 0; i < a->conf->ssh.nrevoked; i++) {
		if (is_revoked(a->conf->ssh.revoked[i], c, blob))
			return true;
	}
	return false;
}

/* Whose certificate is it?  NULL and *who filled, or why nobody's. */
static const char *
find_vouched(const struct ssh_auth *a, const struct ssh_auth_offer *offer,
    const struct cert *c, struct ssh_auth_who *who)
{
	const struct config_user *found = NULL;
	const char *why = "a certificate of an unknown authority, or for "
	    "nobody here", *no;
	struct wish w;

	if (!parse_login(a->conf, offer->login, &w))
		return "unknown name";
	for (size_t i = 0; i < a->n * a->conf->nusers; i++) {
		const struct entry *e = &a->entries[i / a->conf->nusers];
		const struct config_user *u =
		    &a->conf->users[i % a->conf->nusers];

		if (!vouches(e, u, c))
			continue;
		no = judge(a, u, e->key, &w, offer);
		if (no != NULL)
			why = no;
		else if (found != NULL && found != u)
			return "a certificate for several users: the login "
			    "name must say who";
		else
			found = u;
	}
	if (found == NULL)
		return why;
	fill(who, found, &w);
	return NULL;
}

static const char *
judge_cert(const struct ssh_auth *a, const struct ssh_auth_offer *offer,
    const struct cert *c, struct ssh_auth_who *who)
{
	const char *why;

	if (any_revoked(a, c, cert_key(c)) ||
	    any_revoked(a, c, cert_authority(c)))
		return "revoked";
	/* Of a time nobody knows: it is as good as the key in it. */
	if (!offer->clock)
		return find_key(a, offer, cert_key(c), who) == NULL ? NULL :
		    "a certificate, while the clock is not to be trusted";
	why = find_vouched(a, offer, c, who);
	if (why == NULL)
		why = cert_valid(c, offer->utc_us / 1000000);
	return why != NULL ? why : cert_allows(c, offer->from);
}

static const char *
find_cert(const struct ssh_auth *a, const struct ssh_auth_offer *offer,
    struct ssh_auth_who *who)
{
	const char *why;
	struct cert *c = cert_parse(offer->blob, &why);

	if (c == NULL)
		return why;
	why = judge_cert(a, offer, c, who);
	cert_free(c);
	return why;
}

const char *
ssh_auth_find(const struct ssh_auth *a, const struct ssh_auth_offer *offer,
    struct ssh_auth_who *who)
{
	const char *why;

	memset(who, 0, sizeof(*who));
	if (cert_is(offer->blob))
		why = find_cert(a, offer, who);
	else if (any_revoked(a, NULL, offer->blob))
		why = "revoked";
	else
		why = find_key(a, offer, offer->blob, who);
	if (why != NULL)
		memset(who, 0, sizeof(*who));
	return why;
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
	if (w.console[0] != '\0' && !sees(a, user, w.console))
		return "no such console for this user";
	fill(who, user, &w);
	return NULL;
}

char *
ssh_auth_shown(const struct ssh_auth *a, const char *login,
    char dst[CONFIG_SHOWN_LOGIN])
{
	return config_shown_login(a->conf, login, dst);
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
