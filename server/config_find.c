#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "config_internal.h"

const struct config_console *
config_console(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nconsoles; i++) {
		if (strcmp(c->consoles[i].name, name) == 0)
			return &c->consoles[i];
	}
	return NULL;
}

const struct config_user *
config_user(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nusers; i++) {
		if (strcmp(c->users[i].name, name) == 0)
			return &c->users[i];
	}
	return NULL;
}

const struct config_relay *
config_relay(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nrelays; i++) {
		if (strcmp(c->relays[i].name, name) == 0)
			return &c->relays[i];
	}
	return NULL;
}

bool
config_user_sees(const struct config_user *u, const char *console)
{
	for (size_t i = 0; i < u->nconsoles; i++) {
		if (fnmatch(u->consoles[i], console, 0) == 0)
			return true;
	}
	return false;
}

char *
config_shown_login(const struct config *c, const char *login,
    char dst[CONFIG_SHOWN_LOGIN])
{
	size_t n = strcspn(login, ":");
	char user[40];

	snprintf(user, sizeof(user), "%.*s", (int)(n < 39 ? n : 39), login);
	if (n >= sizeof(user) || (config_user(c, user) == NULL &&
	    (login[n] == ':' || config_console(c, user) == NULL)))
		snprintf(user, sizeof(user), "?");
	snprintf(dst, CONFIG_SHOWN_LOGIN, "%s%s%s", user,
	    login[n] == '\0' ? "" : ":", login[n] == '\0' ? "" :
	    config_console(c, login + n + 1) != NULL ? login + n + 1 : "?");
	return dst;
}

static const struct {
	const char *word;
	enum config_way way;
} ways[] = {
	{ "key",		CONFIG_WAY_KEY },
	{ "key+code",		CONFIG_WAY_KEY_CODE },
	{ "password+code",	CONFIG_WAY_PASSWORD_CODE },
};

unsigned
config_way(const char *word)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].word, word) == 0)
			return ways[i].way;
	}
	return 0;
}

const char *
config_way_text(unsigned way)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (ways[i].way == way)
			return ways[i].word;
	}
	return "";
}

unsigned
config_user_ways(const struct config_user *u)
{
	unsigned all = 0;

	for (size_t i = 0; i < u->nrequire; i++)
		all |= config_way(u->require[i]);
	return all;
}

const char *
role_text(enum role role)
{
	return config_roles[role];
}
