#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../auth/passwd.h"
#include "tool_state.h"
#include "tool_tell.h"
#include "user_tool.h"
#include "verbs.h"

#define LINE (PASSWD_MAX + 2)	/* newline, or what is too long, and NUL */

struct call {
	const char *config, *action, *name;
	bool remove;
};

static void
print(void *arg, const char *text)
{
	fputs(text, arg);
}

/* One line of standard input, unseen.  False: there is none, or too long. */
static bool
read_line(const char *prompt, char line[LINE])
{
	bool tty = isatty(STDIN_FILENO) == 1, quiet = false, got;
	struct termios saved, t;
	size_t n;

	if (tty) {
		fputs(prompt, stderr);
		fflush(stderr);
		if (tcgetattr(STDIN_FILENO, &saved) == 0) {
			t = saved;
			t.c_lflag &= ~(tcflag_t)ECHO;
			quiet = tcsetattr(STDIN_FILENO, TCSAFLUSH, &t) == 0;
		}
	}
	got = fgets(line, LINE, stdin) != NULL;
	if (quiet) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
		fputc('\n', stderr);
	}
	n = got ? strcspn(line, "\r\n") : 0;
	if (got && line[n] == '\0' && n == LINE - 1)
		got = false;
	line[n] = '\0';
	return got;
}

/* Twice from a terminal, once from a pipe. */
static bool
ask(const char *name, char password[LINE])
{
	char again[LINE], prompt[128];
	bool same = true;

	snprintf(prompt, sizeof(prompt), "New password of %s: ", name);
	if (!read_line(prompt, password)) {
		fprintf(stderr, "oobctl: no password, or longer than %d "
		    "bytes\n", PASSWD_MAX);
		return false;
	}
	if (isatty(STDIN_FILENO) == 1) {
		same = read_line("Once more: ", again) &&
		    strcmp(password, again) == 0;
		explicit_bzero(again, sizeof(again));
	}
	if (!same)
		fprintf(stderr, "oobctl: these are not the same\n");
	return same;
}

static int
set_password(const struct config *conf, const char *name)
{
	const struct config_user *u = config_user(conf, name);
	char password[LINE];
	int status = ST_FAILED;

	if (ask(name, password)) {
		if (strlen(password) < PASSWD_MIN)
			fprintf(stderr, "oobctl: give it at least %d bytes\n",
			    PASSWD_MIN);
		else if (passwd_set(conf->state_dir, name, password) == -1)
			fprintf(stderr, "oobctl: %s: %s\n", name,
			    strerror(errno));
		else
			status = ST_OK;
	}
	explicit_bzero(password, sizeof(password));
	if (status == ST_OK && (config_user_ways(u) &
	    CONFIG_WAY_PASSWORD_CODE) == 0)
		fprintf(stderr, "oobctl: it is set, but does not get %s in: "
		    "add require = {\"password+code\"} to the user\n", name);
	return status;
}

static int
remove_password(const struct config *conf, const char *name)
{
	if (passwd_remove(conf->state_dir, name) == 0)
		return ST_OK;
	fprintf(stderr, "oobctl: %s: %s\n", name, errno == ENOENT ?
	    "has no password" : strerror(errno));
	return ST_FAILED;
}

static bool
parse(struct call *c, int argc, char *const argv[])
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-f") == 0 && i + 1 < argc)
			c->config = argv[++i];
		else if (strcmp(argv[i], "--remove") == 0)
			c->remove = true;
		else if (argv[i][0] == '-')
			return false;
		else if (c->action == NULL)
			c->action = argv[i];
		else if (c->name == NULL)
			c->name = argv[i];
		else
			return false;
	}
	return c->name != NULL && strcmp(c->action, "passwd") == 0;
}

int
user_tool(int argc, char *const argv[])
{
	struct call c = { .config = config_default_path() };
	struct config *conf;
	int status = ST_FAILED, daemon;

	if (!parse(&c, argc, argv)) {
		verbs_usage(verb_find("user"), print, stderr);
		return ST_USAGE;
	}
	conf = tool_config(c.config);
	if (conf == NULL)
		return ST_FAILED;
	daemon = tool_connect(conf);
	if (config_user(conf, c.name) == NULL)
		fprintf(stderr, "oobctl: %s has no user \"%s\"\n", c.config,
		    c.name);
	else if (tool_become_owner(conf) == 0)
		status = c.remove ? remove_password(conf, c.name) :
		    set_password(conf, c.name);
	if (status == ST_OK)
		tool_tell(conf, daemon, c.name, c.remove ? "password removed" :
		    "password set");
	else if (daemon != -1)
		close(daemon);
	config_free(conf);
	return status;
}
