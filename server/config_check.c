#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config_internal.h"

/* Does this name or pattern stand for any console? */
static bool
matches_any(const struct config *c, char *pattern)
{
	struct config_user one = { .consoles = &pattern, .nconsoles = 1 };

	for (size_t i = 0; i < c->nconsoles; i++) {
		if (config_user_sees(&one, c->consoles[i].name))
			return true;
	}
	return false;
}

/* Keys, and something that asks for them, or neither. */
static void
check_ways(struct build *b, const struct config_user *u, const char *show)
{
	bool keys = build_has(b, &u->keys) || build_has(b, &u->keys_file);
	bool wanted = (config_user_ways(u) &
	    (CONFIG_WAY_KEY | CONFIG_WAY_KEY_CODE)) != 0;
	int line = build_line(b, &u->require, 0);

	if (!keys && wanted)
		build_error(b, u->file_line, "user \"%s\" has no key: add "
		    "keys = {\"ssh-ed25519 ...\"} or keys_file = \"PATH\"",
		    show);
	if (keys && !wanted && u->nrequire > 0)
		build_error(b, line != 0 ? line : u->file_line, "user \"%s\" "
		    "has keys that no way in of require uses: add \"key\" or "
		    "\"key+code\" there, or take the keys out", show);
}

static void
check_user(struct build *b, size_t i)
{
	const struct config_user *u = &b->conf->users[i];
	const struct config_console *c = config_console(b->conf, u->name);
	char show[SHOW_TEXT], pattern[SHOW_TEXT];

	build_show(show, u->name);
	if (c != NULL)
		build_error(b, u->file_line, "user \"%s\" has the name of the "
		    "console on line %d: ssh %s@ could mean both, rename one",
		    show, c->file_line, show);
	check_ways(b, u, show);
	for (size_t j = 0; j < u->nconsoles; j++) {
		int line = build_line(b, &u->consoles, j);

		/* Without any console that is the one error. */
		if (b->conf->nconsoles > 0 &&
		    !matches_any(b->conf, u->consoles[j]))
			build_error(b, line != 0 ? line : u->file_line,
			    "consoles \"%s\": no console has such a name",
			    build_show(pattern, u->consoles[j]));
	}
}

static void
check_ssh(struct build *b)
{
	const struct config_ssh *s = &b->conf->ssh;

	for (size_t i = 0; i < s->nlisten; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(s->listen[i], s->listen[j]) == 0)
				build_error(b, build_line(b, &s->listen, i),
				    "listen \"%s\" is there twice: remove one",
				    s->listen[i]);
		}
	}
	if (s->max_unauth_source > s->max_unauth)	/* so it was given */
		build_error(b, build_line(b, &s->max_unauth_source, 0),
		    "max_unauth_source \"%u\": one source cannot have more "
		    "than max_unauth (%u) has for all", s->max_unauth_source,
		    s->max_unauth);
}

/* What makes it go off: one thing. */
static void
check_alert(struct build *b, const struct config_alert *a)
{
	bool known = config_alert_is_builtin(a->name);
	/* One that was not taken has been complained of already. */
	int triggers = build_has(b, &a->match) + (a->silence_ms > 0) +
	    (a->after_ms > 0) + a->line;

	if (known && (a->silence_ms > 0 || a->after_ms > 0 || a->line))
		build_error(b, a->file_line, "alert \"%s\" is about what the "
		    "console prints then: call the other one by another name",
		    a->name);
	else if (known && triggers == 0 && !a->builtin && a->enabled)
		build_error(b, a->file_line, "alert \"%s\" has nothing left "
		    "to look for: add match, or write enabled = false",
		    a->name);
	else if (!known && a->builtin)
		build_error(b, build_line(b, &a->builtin, 0), "builtin: only "
		    "the alerts \"reboot\" and \"panic\" have patterns of "
		    "their own");
	else if (!known && triggers == 0)
		build_error(b, a->file_line, "alert \"%s\" has nothing to "
		    "look for: add match = \"REGEX\", or one of silence, "
		    "after_silence, line", a->name);
	else if (triggers > 1)
		build_error(b, a->file_line, "alert \"%s\": of match, "
		    "silence, after_silence and line only one; make several "
		    "alerts", a->name);
}

static void
check_console(struct build *b, const struct config_console *c)
{
	for (size_t i = 0; i < c->nalerts; i++)
		check_alert(b, &c->alerts[i]);
}

void
config_check(struct build *b)
{
	const struct config *c = b->conf;

	if (c->nconsoles == 0)
		build_error(b, 1, "there is no console: add console \"NAME\" "
		    "{ device = \"/dev/...\" }");
	for (size_t i = 0; i < c->nusers; i++)
		check_user(b, i);
	for (size_t i = 0; i < c->nconsoles; i++)
		check_console(b, &c->consoles[i]);
	check_ssh(b);
	if (c->sync_typing_ms > c->sync_idle_ms)
		build_error(b, build_line(b, &c->sync_typing_ms, 0),
		    "sync_typing must not be longer than sync");
}

/* The state folder is made at start; any other must be there. */
void
config_check_folder(struct build *b, const char *name, char *const *field)
{
	size_t n = strlen(b->conf->state_dir);
	char copy[PATH_MAX], show[SHOW_TEXT];
	const char *path = *field;
	struct stat st;
	char *folder;

	if (path == NULL || (strncmp(path, b->conf->state_dir, n) == 0 &&
	    path[n] == '/' && strchr(path + n + 1, '/') == NULL))
		return;
	snprintf(copy, sizeof(copy), "%s", path);
	folder = dirname(copy);
	if (stat(folder, &st) == -1)
		build_error(b, build_line(b, field, 0), "%s: the folder %s: "
		    "%s", name, build_show(show, folder), strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		build_error(b, build_line(b, field, 0), "%s: %s is not a "
		    "folder", name, build_show(show, folder));
}

void
config_check_system(struct build *b)
{
	struct config *c = b->conf;
	char show[SHOW_TEXT];

	config_check_folder(b, "host_key", &c->ssh.host_key);
	if (c->service_user == NULL && getpwnam("oobd") != NULL)
		c->service_user = xstrdup("oobd");
	else if (c->service_user != NULL && getpwnam(c->service_user) == NULL)
		build_error(b, build_line(b, &c->service_user, 0),
		    "service_user \"%s\": there is no such user on this "
		    "system", build_show(show, c->service_user));
	if (c->control_group != NULL && getgrnam(c->control_group) == NULL)
		build_error(b, build_line(b, &c->control_group, 0),
		    "control_group \"%s\": there is no such group on this "
		    "system", build_show(show, c->control_group));
}
