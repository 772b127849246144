/*
 * config_help: configurations as text, what is said about them, and a folder
 * for files that they name.
 */
#ifndef UNIT_CONFIG_HELP_H
#define UNIT_CONFIG_HELP_H

#include <sys/stat.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/fileio.h"
#include "server/base/mem.h"
#include "server/config.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkaXVq9K9oFjH41AuxpV6wP" \
	"+vGszysrza51/3oy6jee"
#define HEAD "name = box\nservice_user = nobody\nconsole gw { device = /d }\n"
#define MODEM_MIN "modem { data = /m }\n"
/* On the lines 4 to 9 when HEAD is before it. */
#define RELAY(more) "relay \"r\" {\n\thost = \"relay.example.net\"\n" \
	"\tuser = oob\n\thost_key = {\"" KEY "\"}\n" \
	"\tlisten = \"localhost:31337\"\n\t" more "\n}\n"

static char messages[65536];
static char dir[] = "/tmp/oobd-config-XXXXXX";

static inline void
collect(void *arg, const char *message)
{
	(void)arg;
	strncat(messages, message, sizeof(messages) - strlen(messages) - 2);
	strcat(messages, "\n");
}

static inline struct config *
parse(const char *text)
{
	messages[0] = '\0';
	return config_parse(text, "f", collect, NULL);
}

static inline struct config *
good(const char *text)
{
	struct config *c = parse(text);

	if (c == NULL)
		fail_msg("%s", messages);
	return c;
}

/* This is among the messages. */
static inline void
assert_said(const char *what)
{
	if (strstr(messages, what) == NULL)
		fail_msg("\"%s\" is not in: %s", what, messages);
}

/* The text is refused, with this among the messages. */
static inline void
bad(const char *text, const char *what)
{
	assert_null(parse(text));
	assert_said(what);
}

/* What is printed is read back as the same. */
static inline void
assert_stable(const struct config *c, bool merged)
{
	char *text = config_print(c, merged), *again;
	struct config *d = good(text);

	again = config_print(d, merged);
	assert_string_equal(text, again);
	free(text);
	free(again);
	config_free(d);
}

static inline int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static inline char *
in_dir(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static inline void
put(const char *name, const char *text, mode_t mode)
{
	assert_int_equal(file_replace(in_dir(name), text, strlen(text), mode),
	    0);
}

/* Load a file with this text; every %D in it is the folder. */
static inline struct config *
load(const char *text)
{
	char *copy = xcalloc(1, 8192), *p = copy;

	for (; *text != '\0'; text++) {
		if (text[0] == '%' && text[1] == 'D') {
			p += sprintf(p, "%s", dir);
			text++;
		} else {
			*p++ = *text;
		}
	}
	put("c", copy, 0600);
	free(copy);
	messages[0] = '\0';
	return config_load(in_dir("c"), collect, NULL);
}

#endif
