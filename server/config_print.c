#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
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
put_list(char **out, const char *indent, char *const *list, size_t n)
{
	config_append(out, "{");
	for (size_t i = 0; i < n; i++) {
		if (n > 1)
			config_append(out, "%s\n\t%s", i > 0 ? "," : "",
			    indent);
		config_quote(out, list[i]);
	}
	config_append(out, "}\n");
}

static void
put_option(char **out, const char *indent, const struct config_option *o,
    void *base)
{
	const char *value;
	char text[CONFIG_VALUE];

	if (o->list) {
		config_append(out, "%s%s = ", indent, o->name);
		put_list(out, indent, config_pointer(base, o->at),
		    *config_count(base, o->count_at));
		return;
	}
	value = o->kind->text(text, (char *)base + o->at, o);
	if (value == NULL)
		return;
	config_append(out, "%s%s = ", indent, o->name);
	if (o->kind->bare)
		config_append(out, "%s", value);
	else
		config_quote(out, value);
	config_append(out, "\n");
}

static void put_sections(char **, const char *, const struct config_section *,
    void *);

static void
put_options(char **out, const char *indent, const struct config_section *s,
    void *base)
{
	for (const struct config_option *o = s->options; o->name != NULL; o++)
		put_option(out, indent, o, base);
	if (s->sections != NULL)
		put_sections(out, indent, s, base);
}

static void
put_sections(char **out, const char *indent, const struct config_section *in,
    void *parent)
{
	char deeper[8];

	snprintf(deeper, sizeof(deeper), "%s\t", indent);
	for (const struct config_section *s = in->sections; s->name != NULL;
	    s++) {
		bool inside = s->place == PLACE_ALWAYS;
		char *one = inside ? (char *)parent + s->at :
		    config_pointer(parent, s->at);
		size_t n = s->place == PLACE_MANY ? *config_count(parent,
		    s->count_at) : one != NULL;

		for (size_t i = 0; i < n; i++, one += s->size) {
			config_append(out, "%s%s%s ", in == &config_root ?
			    "\n" : "", indent, s->name);
			if (s->place == PLACE_MANY) {
				config_quote(out, config_pointer(one, 0));
				config_append(out, " ");
			}
			config_append(out, "{\n");
			put_options(out, deeper, s, one);
			config_append(out, "%s}\n", indent);
		}
	}
}

/* What follows the host of a URL is often as good as a password. */
static char *
show_url(const char *url, bool whole)
{
	const char *host;
	size_t n;

	if (url == NULL)
		return NULL;
	host = strstr(url, "://") + 3;
	n = strcspn(host, "/?#");
	if (whole || host[n] == '\0' || strcmp(host + n, "/") == 0)
		return xstrdup(url);
	return xasprintf("%.*s/*****", (int)(host + n - url), url);
}

char *
config_print(const struct config *c, bool merged)
{
	struct config shown = *c;
	char *out = NULL;

	shown.users = xcalloc(c->nusers, sizeof(*c->users));
	for (size_t i = 0; i < c->nusers; i++) {
		shown.users[i] = c->users[i];
		if (merged)
			shown.users[i].keys_file = NULL;
		else
			shown.users[i].nkeys = c->users[i].ninline;
	}
	shown.notifies = xcalloc(c->nnotifies, sizeof(*c->notifies));
	for (size_t i = 0; i < c->nnotifies; i++) {
		shown.notifies[i] = c->notifies[i];
		shown.notifies[i].url = show_url(c->notifies[i].url, merged);
	}
	put_options(&out, "", &config_root, &shown);
	for (size_t i = 0; i < c->nnotifies; i++)
		free(shown.notifies[i].url);
	free(shown.notifies);
	free(shown.users);
	return out;
}
