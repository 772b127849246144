#include <fnmatch.h>
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
