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

const char *
role_text(enum role role)
{
	return config_roles[role];
}
