#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config_internal.h"

void
config_append(char **text, const char *fmt, ...)
{
	size_t at = *text == NULL ? 0 : strlen(*text);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	*text = xreallocarray(*text, at + (size_t)n + 1, 1);
	va_start(ap, fmt);
	vsnprintf(*text + at, (size_t)n + 1, fmt, ap);
	va_end(ap);
}

/* $ is escaped as other programs of libconfuse's would expand ${NAME}. */
void
config_quote(char **text, const char *s)
{
	char *dst = xmalloc(strlen(s) * 4 + 3), *p = dst;

	*p++ = '"';
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f) {
			p += snprintf(p, 5, "\\x%02x", c);
			continue;
		}
		if (strchr("\"\\$", c) != NULL)
			*p++ = '\\';
		*p++ = (char)c;
	}
	*p++ = '"';
	*p = '\0';
	config_append(text, "%s", dst);
	free(dst);
}

static void
put_text(char **out, const char *indent, const char *name, const char *value)
{
	if (value == NULL)
		return;
	config_append(out, "%s%s = ", indent, name);
	config_quote(out, value);
	config_append(out, "\n");
}

static void
put_duration(char **out, const char *indent, const char *name, int64_t ms)
{
	char text[STR_NUM];

	put_text(out, indent, name, str_duration_text(text, ms));
}

static void
put_number(char **out, const char *name, uint64_t n)
{
	config_append(out, "\t%s = %" PRIu64 "\n", name, n);
}

static void
put_list(char **out, const char *name, char *const *list, size_t n)
{
	config_append(out, "\t%s = {", name);
	for (size_t i = 0; i < n; i++) {
		config_append(out, i > 0 ? ",\n\t\t" : n > 1 ? "\n\t\t" : "");
		config_quote(out, list[i]);
	}
	config_append(out, "}\n");
}

static void
put_head(char **out, const char *section, const char *title)
{
	config_append(out, "\n%s ", section);
	config_quote(out, title);
	config_append(out, " {\n");
}

static void
put_console(char **out, const struct config_console *c)
{
	char text[STR_NUM], mode[LINE_TEXT];

	put_head(out, "console", c->name);
	put_text(out, "\t", "device", c->device);
	put_number(out, "speed", c->line.speed);
	put_text(out, "\t", "mode", line_mode_text(mode, &c->line));
	put_text(out, "\t", "flow", line_flow_text(&c->line));
	put_text(out, "\t", "description", c->description);
	put_text(out, "\t", "sharing", config_sharings[c->sharing]);
	config_append(out, "\trecord_input = %s\n",
	    c->record_input ? "true" : "false");
	put_duration(out, "\t", "break", c->break_ms);
	put_text(out, "\t", "ring", str_size_text(text, (int64_t)c->ring));
	for (size_t i = 0; i < c->nalerts; i++) {
		config_append(out, "\talert ");
		config_quote(out, c->alerts[i].name);
		config_append(out, " {\n");
		put_text(out, "\t\t", "match", c->alerts[i].match);
		config_append(out, "\t}\n");
	}
	config_append(out, "}\n");
}

static void
put_ssh(char **out, const struct config_ssh *s)
{
	config_append(out, "\nssh {\n");
	put_list(out, "listen", s->listen, s->nlisten);
	put_text(out, "\t", "host_key", s->host_key);
	put_duration(out, "\t", "login_grace", s->login_grace_ms);
	put_number(out, "max_unauth", s->max_unauth);
	put_number(out, "max_unauth_source", s->max_unauth_source);
	put_number(out, "max_auth_tries", s->max_auth_tries);
	put_number(out, "max_sessions", s->max_sessions);
	put_number(out, "max_channels", s->max_channels);
	put_duration(out, "\t", "keepalive", s->keepalive_ms);
	put_number(out, "keepalive_count", s->keepalive_count);
	config_append(out, "}\n");
}

static void
put_user(char **out, const struct config_user *u, bool merged)
{
	char text[8];

	put_head(out, "user", u->name);
	put_list(out, "keys", u->keys, merged ? u->nkeys : u->ninline);
	if (!merged)
		put_text(out, "\t", "keys_file", u->keys_file);
	put_text(out, "\t", "role", config_roles[u->role]);
	put_list(out, "consoles", u->consoles, u->nconsoles);
	put_text(out, "\t", "escape", config_escape_text(text, u->escape));
	config_append(out, "}\n");
}

char *
config_print(const struct config *c, bool merged)
{
	char *out = NULL;

	put_text(&out, "", "name", c->name);
	put_text(&out, "", "state_dir", c->state_dir);
	put_text(&out, "", "log_dir", c->log_dir);
	put_text(&out, "", "run_dir", c->run_dir);
	put_text(&out, "", "control", c->control);
	put_text(&out, "", "service_user", c->service_user);
	put_text(&out, "", "control_group", c->control_group);
	put_duration(&out, "", "deadline", c->deadline_ms);
	put_duration(&out, "", "sync", c->sync_idle_ms);
	put_duration(&out, "", "sync_typing", c->sync_typing_ms);
	for (size_t i = 0; i < c->nconsoles; i++)
		put_console(&out, &c->consoles[i]);
	put_ssh(&out, &c->ssh);
	for (size_t i = 0; i < c->nusers; i++)
		put_user(&out, &c->users[i], merged);
	if (!merged)
		config_append(&out, "%s", c->later);
	return out;
}
