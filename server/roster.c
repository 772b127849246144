#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "roster.h"

/* A member as text that is safe to show; "" when it is missing. */
static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static void
copy_safe(char *dst, size_t size, const json_t *o, const char *key)
{
	const char *s = text_of(o, key);

	str_safe(dst, size, s, strlen(s));
}

static void
entry_of(struct roster_entry *e, const json_t *o)
{
	const char *stamp = text_of(o, "last_output_time");

	memset(e, 0, sizeof(*e));
	copy_safe(e->name, sizeof(e->name), o, "name");
	copy_safe(e->description, sizeof(e->description), o, "description");
	copy_safe(e->line, sizeof(e->line), o, "line");
	copy_safe(e->writer, sizeof(e->writer), o, "writer");
	/* Made safe by who sent it; a \xNN must not be made safer. */
	snprintf(e->last, sizeof(e->last), "%s", text_of(o, "last_output"));
	e->up = json_is_true(json_object_get(o, "up"));
	if (stamp_parse(stamp, strlen(stamp), &e->last_us) == -1)
		e->last_us = -1;
}

int
roster_parse(struct roster *r, const char *json, size_t n)
{
	json_t *list = json_loadb(json, n, 0, NULL), *o;
	size_t i;

	memset(r, 0, sizeof(*r));
	if (!json_is_array(list)) {
		json_decref(list);
		return -1;
	}
	r->entries = xcalloc(json_array_size(list) + 1, sizeof(*r->entries));
	json_array_foreach(list, i, o) {
		entry_of(&r->entries[r->n], o);
		if (r->entries[r->n].name[0] != '\0')
			r->n++;
	}
	json_decref(list);
	return 0;
}

void
roster_free(struct roster *r)
{
	free(r->entries);
	memset(r, 0, sizeof(*r));
}

const struct roster_entry *
roster_find(const struct roster *r, const char *what)
{
	int64_t i;

	for (size_t e = 0; e < r->n; e++) {
		if (strcmp(r->entries[e].name, what) == 0)
			return &r->entries[e];
	}
	if (str_int(what, 1, (int64_t)r->n, &i) == 0)
		return &r->entries[i - 1];
	return NULL;
}

static const char *
ago_text(char *dst, size_t size, int64_t last_us, int64_t now_us)
{
	int64_t s = (now_us - last_us) / 1000000;

	if (last_us < 0)
		snprintf(dst, size, "silent");
	else if (s < 1)
		snprintf(dst, size, "now");
	else if (s < 120)
		snprintf(dst, size, "%" PRId64 " s", s);
	else if (s < 7200)
		snprintf(dst, size, "%" PRId64 " min", s / 60);
	else if (s < 2 * 86400)
		snprintf(dst, size, "%" PRId64 " h", s / 3600);
	else
		snprintf(dst, size, "%" PRId64 " d", s / 86400);
	return dst;
}

/* Cut after n columns, each character counted as one. */
static void
cut(char *s, size_t n)
{
	for (; *s != '\0'; s++) {
		if (((uint8_t)*s & 0xc0) == 0x80)
			continue;
		if (n-- == 0) {
			*s = '\0';
			return;
		}
	}
}

static int
widest(const struct roster *r, size_t member)
{
	size_t most = 0;

	for (size_t i = 0; i < r->n; i++) {
		size_t n = strlen((const char *)&r->entries[i] + member);

		if (n > most)
			most = n;
	}
	return (int)most;
}

char *
roster_text(const struct roster *r, size_t i, unsigned columns, int64_t now_us)
{
	const struct roster_entry *e = &r->entries[i];
	char ago[32], pen[48] = "pen free", *text;
	int wpen = widest(r, offsetof(struct roster_entry, writer)) + 4;

	if (e->writer[0] != '\0')
		snprintf(pen, sizeof(pen), "pen %s", e->writer);
	text = xasprintf("%-*s  %-4s %-*s  %-*s  %-7s %s%s%s",
	    widest(r, offsetof(struct roster_entry, name)), e->name,
	    e->up ? "up" : "DOWN",
	    widest(r, offsetof(struct roster_entry, line)), e->line,
	    wpen < 8 ? 8 : wpen, pen,
	    ago_text(ago, sizeof(ago), e->last_us, now_us), e->description,
	    e->last[0] != '\0' && e->description[0] != '\0' ? " | " : "",
	    e->last);
	cut(text, (columns == 0 ? 80 : columns < 40 ? 40 : columns) - 6);
	return text;
}

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static char *
info_text(const json_t *o)
{
	char path[200], problem[200], file[300];
	const json_t *journal = json_object_get(o, "journal");
	bool healthy = json_is_true(json_object_get(journal, "healthy"));

	copy_safe(path, sizeof(path), o, "path");
	copy_safe(problem, sizeof(problem), o, "problem");
	copy_safe(file, sizeof(file), journal, healthy ? "file" : "problem");
	return xasprintf("%s: %s, %s, %s%s%s\n"
	    "received %" JSON_INTEGER_FORMAT ", sent %" JSON_INTEGER_FORMAT
	    " bytes; breaks %" JSON_INTEGER_FORMAT ", framing errors %"
	    JSON_INTEGER_FORMAT ", parity errors %" JSON_INTEGER_FORMAT
	    ", overruns %" JSON_INTEGER_FORMAT "\n%s%s\n",
	    text_of(o, "name"), text_of(o, "line"), path,
	    json_is_true(json_object_get(o, "up")) ? "up" : "DOWN",
	    *problem != '\0' ? ": " : "", problem,
	    number(o, "received"), number(o, "sent"), number(o, "breaks"),
	    number(o, "framing_errors"), number(o, "parity_errors"),
	    number(o, "overruns"),
	    healthy ? "journal: " : "NOT RECORDED NOW: ", file);
}

char *
roster_info(const char *json, size_t n, const char *console)
{
	json_t *status = json_loadb(json, n, 0, NULL), *o;
	char *text = NULL;
	size_t i;

	json_array_foreach(json_object_get(status, "consoles"), i, o) {
		if (text == NULL && strcmp(text_of(o, "name"), console) == 0)
			text = info_text(o);
	}
	json_decref(status);
	return text;
}
