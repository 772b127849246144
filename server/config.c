#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_internal.h"

struct build_line {
	const void *field;
	size_t index;
	int line;
};

struct complaint {
	int line;		/* INT_MAX: of another file */
	unsigned order;
	char *message;
};

/*
 * Complaints.
 */
static void complain(struct build *, const char *, int, const char *, va_list)
    __attribute__((format(printf, 4, 0)));

static void
complain(struct build *b, const char *file, int line, const char *fmt,
    va_list ap)
{
	char *text = xvasprintf(fmt, ap);
	struct complaint *c;

	/* What a file calls something may hold what a terminal would obey. */
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	b->complaints = xreallocarray(b->complaints, b->errors + 1,
	    sizeof(*b->complaints));
	c = &b->complaints[b->errors];
	c->line = strcmp(file, b->name) == 0 ? line : INT_MAX;
	c->order = b->errors++;
	if (line > 0)
		c->message = xasprintf("%s:%d: %s", file, line, text);
	else
		c->message = xasprintf("%s: %s", file, text);
	free(text);
}

static int
by_line(const void *va, const void *vb)
{
	const struct complaint *a = va, *b = vb;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* Ours by line, then those of other files. */
static void
tell(struct build *b)
{
	if (b->errors > 0)
		qsort(b->complaints, b->errors, sizeof(*b->complaints),
		    by_line);
	for (unsigned i = 0; i < b->errors; i++) {
		if (b->error != NULL)
			b->error(b->arg, b->complaints[i].message);
		free(b->complaints[i].message);
	}
	free(b->complaints);
}

void
build_error(struct build *b, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(b, b->name, line, fmt, ap);
	va_end(ap);
}

void
build_error_at(struct build *b, const char *file, int line, const char *fmt,
    ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(b, file, line, fmt, ap);
	va_end(ap);
}

char *
build_show(char dst[SHOW_TEXT], const char *text)
{
	size_t n = strlen(text);

	str_safe(dst, SHOW_TEXT - 3, text, n);
	if (n >= SHOW_TEXT - 3)
		memcpy(dst + strlen(dst), "...", 4);
	return dst;
}

/*
 * Lines.
 */
void
build_note(struct build *b, const void *field, size_t index, int line)
{
	if (b->nlines == b->lines_size) {
		b->lines_size = b->lines_size == 0 ? 256 : b->lines_size * 2;
		b->lines = xreallocarray(b->lines, b->lines_size,
		    sizeof(*b->lines));
	}
	b->lines[b->nlines++] = (struct build_line){ field, index, line };
}

static const struct build_line *
find_line(const struct build *b, const void *field, size_t index)
{
	for (size_t i = 0; i < b->nlines; i++) {
		if (b->lines[i].field == field && b->lines[i].index == index)
			return &b->lines[i];
	}
	return NULL;
}

int
build_line(const struct build *b, const void *field, size_t index)
{
	const struct build_line *l = find_line(b, field, index);

	return l == NULL ? 0 : l->line;
}

bool
build_has(const struct build *b, const void *field)
{
	return find_line(b, field, BUILD_WHOLE) != NULL;
}

static struct config *
build(struct build *b, const char *text, size_t n, bool system)
{
	b->conf = xcalloc(1, sizeof(*b->conf));
	b->scan = scan_new(b, text, n);
	if (b->scan != NULL && config_read(b) == 0) {
		config_fill(b);
		config_check(b);
		config_check_way(b);
		config_check_ttys(b, system);
		config_keys(b, system);
		if (system) {
			config_check_system(b);
			config_check_files(b);
		}
	}
	scan_free(b->scan);
	free(b->lines);
	tell(b);
	if (b->errors > 0) {
		config_free(b->conf);
		return NULL;
	}
	return b->conf;
}

struct config *
config_load(const char *path, config_error_fn *error, void *arg)
{
	struct build b = { .name = path, .error = error, .arg = arg };
	struct config *c;
	size_t n;
	char *text;

	text = file_read(path, CONFIG_FILE_MAX, &n);
	if (text == NULL) {
		build_error(&b, 0, "the configuration cannot be read: %s",
		    strerror(errno));
		tell(&b);
		return NULL;
	}
	c = build(&b, text, n, true);
	free(text);
	return c;
}

struct config *
config_parse(const char *text, const char *name, config_error_fn *error,
    void *arg)
{
	struct build b = { .name = name, .error = error, .arg = arg };

	return build(&b, text, strlen(text), false);
}

/*
 * Fields, by their offsets.  An object pointer is copied as bytes, as the
 * tables do not know its type.
 */
void *
config_pointer(const void *base, size_t at)
{
	void *p;

	memcpy(&p, (const char *)base + at, sizeof(p));
	return p;
}

void
config_set_pointer(void *base, size_t at, void *p)
{
	memcpy((char *)base + at, &p, sizeof(p));
}

size_t *
config_count(void *base, size_t at)
{
	return (size_t *)(void *)((char *)base + at);
}

static void
free_option(const struct config_option *o, void *base)
{
	char **list;

	if (!o->list) {
		free(config_pointer(base, o->at));
		return;
	}
	list = config_pointer(base, o->at);
	for (size_t i = 0; i < *config_count(base, o->count_at); i++)
		free(list[i]);
	free(list);
}

/* What a section's struct holds, not the struct itself. */
static void
free_section(const struct config_section *in, void *base)
{
	const struct config_section *s;
	char *one;
	size_t n;

	for (const struct config_option *o = in->options; o->name != NULL;
	    o++) {
		if (o->kind->owned)
			free_option(o, base);
	}
	for (s = in->sections; s != NULL && s->name != NULL; s++) {
		if (s->place == PLACE_ALWAYS) {
			free_section(s, (char *)base + s->at);
			continue;
		}
		one = config_pointer(base, s->at);
		n = s->place == PLACE_MANY ? *config_count(base, s->count_at) :
		    one != NULL;
		for (size_t i = 0; i < n; i++)
			free_section(s, one + i * s->size);
		free(one);
	}
	if (in->place == PLACE_MANY)
		free(config_pointer(base, 0));
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	free_section(&config_root, c);
	free(c);
}

const char *
config_default_path(void)
{
	return config_paths.file;
}
