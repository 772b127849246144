#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/clock.h"
#include "../server/base/str.h"
#include "jdir.h"
#include "jread.h"
#include "view.h"
#include "when.h"

void
view_say(const struct view *v, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "oobd: ");
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n - 3, fmt, ap);
	va_end(ap);
	n = strlen(text);
	memcpy(text + n, "\r\n", 3);
	if (!v->tty)
		memcpy(text + n, "\n", 2);
	v->ops->write(v->arg, 2, text, strlen(text));
}

enum view_status
view_options(const struct view *v, int argc, char *const argv[],
    int first, const struct view_option *table, void *conf)
{
	const struct view_option *o;
	char word[128];

	for (int i = first; i < argc; i++) {
		str_safe(word, sizeof(word), argv[i], strlen(argv[i]));
		for (o = table; o->name != NULL; o++) {
			if (strcmp(o->name, argv[i]) == 0)
				break;
		}
		if (o->name == NULL) {
			view_say(v, "%s: unknown option %s (see: help %s)",
			    argv[0], word, argv[0]);
			return VIEW_USAGE;
		}
		if (!o->flag && ++i == argc) {
			view_say(v, "%s: %s wants %s", argv[0], o->name,
			    o->wants);
			return VIEW_USAGE;
		}
		if (o->set(conf, o->flag ? NULL : argv[i]) == -1) {
			str_safe(word, sizeof(word), argv[i], strlen(argv[i]));
			view_say(v, "%s: %s wants %s, not \"%s\"", argv[0],
			    o->name, o->wants, word);
			return VIEW_USAGE;
		}
	}
	return VIEW_OK;
}

void
view_span_init(struct view_span *s)
{
	*s = (struct view_span){ stamp_now().utc_us, INT64_MIN, INT64_MAX };
}

int
view_set_since(void *conf, const char *value)
{
	struct view_span *s = conf;

	return when_parse(value, s->now, &s->since);
}

int
view_set_until(void *conf, const char *value)
{
	struct view_span *s = conf;

	return when_parse(value, s->now, &s->until);
}

enum view_status
view_span_check(const struct view *v, const char *verb,
    const struct view_span *s)
{
	if (s->since <= s->until)
		return VIEW_OK;
	view_say(v, "%s: --since is later than --until", verb);
	return VIEW_USAGE;
}

int
view_positive(const char *s, double max, double *v)
{
	char *end;
	double d;

	if (*s == '\0' || strspn(s, "0123456789.") != strlen(s))
		return -1;
	d = strtod(s, &end);
	if (*end != '\0' || !(d > 0) || d > max)
		return -1;
	*v = d;
	return 0;
}

int
view_seconds(const char *value, int64_t *us)
{
	double sec;
	int64_t ms;

	if (view_positive(value, 1e9, &sec) == 0) {
		*us = (int64_t)(sec * 1e6);
		return 0;
	}
	if (str_duration(value, &ms) == -1 || ms > INT64_MAX / 1000)
		return -1;
	*us = ms * 1000;
	return 0;
}

struct jread *
view_open(const struct view *v, int argc, char *const argv[],
    enum view_status *status)
{
	struct jread *j;

	*status = VIEW_USAGE;
	if (argc < 2) {
		view_say(v, "%s: which console?", argc > 0 ? argv[0] : "?");
		return NULL;
	}
	*status = VIEW_NO_CONSOLE;
	if (!str_is_name(argv[1]) && strcmp(argv[1], JDIR_BOX) != 0) {
		view_say(v, "%s: no such console", argv[0]);
		return NULL;
	}
	j = jread_open(v->log_dir, argv[1]);
	if (j != NULL) {
		*status = VIEW_OK;
		return j;
	}
	if (errno != ENOENT)
		*status = VIEW_FAILED;
	view_say(v, "%s: no journal of console %s in %s: %s", argv[0],
	    argv[1], v->log_dir, strerror(errno));
	return NULL;
}
