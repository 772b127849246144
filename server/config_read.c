#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config_internal.h"

/* libconfuse's error callback has no argument: set while it parses. */
static struct build *parsing;

static void on_confuse_error(cfg_t *, const char *, va_list)
    __attribute__((format(printf, 2, 0)));

static void
on_confuse_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char raw[512], safe[512];

	/* It quotes the file as it is. */
	vsnprintf(raw, sizeof(raw), fmt, ap);
	build_error(parsing, cfg->line, "%s", str_safe(safe, sizeof(safe), raw,
	    strlen(raw)));
}

/*
 * The grammar, from our tables.
 */
static cfg_opt_t *
make_opts(const struct config_section *in)
{
	const struct config_section *s;
	size_t n = 0;
	cfg_opt_t *opts;

	for (const struct config_option *o = in->options; o->name != NULL; o++)
		n++;
	for (s = in->sections; s != NULL && s->name != NULL; s++)
		n++;
	opts = xcalloc(n + 1, sizeof(*opts));
	n = 0;
	for (const struct config_option *o = in->options; o->name != NULL;
	    o++) {
		opts[n].name = o->name;
		opts[n].type = CFGT_STR;
		opts[n++].flags = CFGF_NODEFAULT | (o->list ? CFGF_LIST : 0);
	}
	for (s = in->sections; s != NULL && s->name != NULL; s++) {
		opts[n].name = s->name;
		opts[n].type = CFGT_SEC;
		opts[n].subopts = make_opts(s);
		opts[n++].flags = CFGF_NODEFAULT |
		    (s->place == PLACE_MANY ? CFGF_MULTI | CFGF_TITLE : 0);
	}
	return opts;
}

static void
free_opts(cfg_opt_t *opts)
{
	for (size_t i = 0; opts[i].name != NULL; i++) {
		if (opts[i].subopts != NULL)
			free_opts(opts[i].subopts);
	}
	free(opts);
}

static cfg_t *
parse_grammar(struct build *b)
{
	cfg_opt_t *opts = make_opts(&config_root);
	unsigned before = b->errors;
	cfg_t *cfg;
	int r;

	cfg = cfg_init(opts, CFGF_NONE);
	free_opts(opts);
	if (cfg == NULL) {
		build_error(b, 0, "libconfuse does not start");
		return NULL;
	}
	parsing = b;
	cfg_set_error_function(cfg, on_confuse_error);
	r = cfg_parse_buf(cfg, b->scan->normal);
	parsing = NULL;
	if (r == CFG_SUCCESS && !b->scan->odd)
		return cfg;
	/* libconfuse closes what is open at the end by itself. */
	if (b->errors == before)
		build_error(b, b->scan->tokens[b->scan->ntokens - 1].line,
		    "the file ends too early: is a } missing?");
	cfg_free(cfg);
	return NULL;
}

/*
 * Values.
 */
static void
bad_value(struct build *b, const struct config_option *o,
    const struct token *t, const char *why)
{
	char show[SHOW_TEXT];

	if (o->kind->secret)
		build_error(b, t->line, "%s: %s", o->name, why);
	else
		build_error(b, t->line, "%s \"%s\": %s", o->name,
		    build_show(show, t->text), why);
}

static void
append(void *base, const struct config_option *o, char *text)
{
	char **list = config_pointer(base, o->at);
	size_t *n = config_count(base, o->count_at);

	list = xreallocarray(list, *n + 1, sizeof(*list));
	list[(*n)++] = text;
	config_set_pointer(base, o->at, list);
}

static void
set_default(void *base, const struct config_option *o)
{
	char why[CONFIG_WHY], *copy, *rest, *word;

	if (o->dflt == NULL)
		return;
	if (!o->list) {
		if (o->kind->set((char *)base + o->at, o, o->dflt, why) == -1)
			abort();
		return;
	}
	rest = copy = xstrdup(o->dflt);
	while ((word = strsep(&rest, " ")) != NULL)
		append(base, o, xstrdup(word));
	free(copy);
}

static void
set_one(struct build *b, void *base, const struct config_option *o,
    const struct token *t)
{
	char why[CONFIG_WHY], *one = NULL;
	void *field = (char *)base + o->at;

	if (o->kind->set(o->list ? (void *)&one : field, o, t->text,
	    why) == -1) {
		bad_value(b, o, t, why);
		free(one);
	} else if (o->list) {
		build_note(b, field, *config_count(base, o->count_at),
		    t->line);
		append(base, o, one);
	} else {
		build_note(b, field, 0, t->line);
	}
}

/*
 * Sections.  cfg NULL: it is not there, every option gets its default.
 */
static void
read_options(struct build *b, cfg_t *cfg, const struct config_section *in,
    void *base)
{
	for (const struct config_option *o = in->options; o->name != NULL;
	    o++) {
		cfg_opt_t *opt = cfg == NULL ? NULL : cfg_getopt(cfg, o->name);
		bool given = opt != NULL && (opt->flags & CFGF_MODIFIED);

		/* A bad value leaves the default for later checks. */
		if (!given || !o->list)
			set_default(base, o);
		if (!given)
			continue;
		build_note(b, (char *)base + o->at, BUILD_WHOLE,
		    (int)cfg_opt_size(opt));
		for (unsigned i = 0; i < cfg_opt_size(opt); i++)
			set_one(b, base, o, scan_token(b->scan,
			    cfg_opt_getnstr(opt, i)));
	}
}

/* What must be there: an option, and something in a list. */
static void
check_needed(struct build *b, cfg_t *cfg, const struct config_section *in,
    const char *title, int line)
{
	char show[SHOW_TEXT];

	for (const struct config_option *o = in->options; o->name != NULL;
	    o++) {
		cfg_opt_t *opt = cfg_getopt(cfg, o->name);

		if (o->need == NULL || ((opt->flags & CFGF_MODIFIED) &&
		    cfg_opt_size(opt) > 0))
			continue;
		if (title == NULL)
			build_error(b, line, "%s has no %s: %s", in->name,
			    o->name, o->need);
		else
			build_error(b, line, "%s \"%s\" has no %s: %s",
			    in->name, build_show(show, title), o->name,
			    o->need);
	}
}

/* The name in a section's head; *line is its line. */
static char *
read_title(struct build *b, cfg_t *cfg, int *line)
{
	const struct token *t = scan_token(b->scan, cfg_title(cfg));
	char show[SHOW_TEXT];

	*line = t->line;
	if (!str_is_name(t->text))
		build_error(b, t->line, "%s \"%s\": a name has 1 to 32 "
		    "letters, digits, '.', '_' and '-', and begins with a "
		    "letter or digit", cfg_name(cfg), build_show(show,
		    t->text));
	return xstrdup(t->text);
}

static void read_sections(struct build *, cfg_t *,
    const struct config_section *, void *);

static void
read_section(struct build *b, cfg_t *cfg, const struct config_section *s,
    void *base)
{
	char *title = NULL;
	int line;

	if (s->place == PLACE_MANY) {
		title = read_title(b, cfg, &line);
		config_set_pointer(base, 0, title);
	} else {
		line = scan_section_line(b->scan, s->name);
	}
	if (s->line_at != 0)
		*(int *)(void *)((char *)base + s->line_at) = line;
	read_options(b, cfg, s, base);
	check_needed(b, cfg, s, title, line);
	if (s->sections != NULL)
		read_sections(b, cfg, s, base);
}

/* Two of the same name. */
static void
check_titles(struct build *b, const struct config_section *s, char *array,
    size_t n)
{
	char show[SHOW_TEXT];

	for (size_t i = 0; i < n; i++) {
		char *one = array + i * s->size;
		const char *title = config_pointer(one, 0);

		for (char *two = array; two < one; two += s->size) {
			if (strcmp(config_pointer(two, 0), title) != 0)
				continue;
			build_error(b, *(int *)(void *)(one + s->line_at),
			    "%s \"%s\" is there twice (first on line %d): "
			    "rename or remove one", s->name,
			    build_show(show, title),
			    *(int *)(void *)(two + s->line_at));
			break;
		}
	}
}

static void
read_many(struct build *b, cfg_t *cfg, const struct config_section *s,
    void *parent)
{
	size_t n = cfg_size(cfg, s->name);
	char *array;

	if (n > s->max) {
		build_error(b, 1, "there are more than %zu %s sections",
		    s->max, s->name);
		n = s->max;
	}
	array = xcalloc(n, s->size);
	config_set_pointer(parent, s->at, array);
	*config_count(parent, s->count_at) = n;
	for (size_t i = 0; i < n; i++)
		read_section(b, cfg_getnsec(cfg, s->name, (unsigned)i), s,
		    array + i * s->size);
	check_titles(b, s, array, n);
}

static void
read_sections(struct build *b, cfg_t *cfg, const struct config_section *in,
    void *parent)
{
	for (const struct config_section *s = in->sections; s->name != NULL;
	    s++) {
		bool there = cfg_size(cfg, s->name) > 0;
		void *base;

		switch (s->place) {
		case PLACE_MANY:
			read_many(b, cfg, s, parent);
			break;
		case PLACE_MAYBE:
			if (!there)
				break;
			base = xcalloc(1, s->size);
			config_set_pointer(parent, s->at, base);
			read_section(b, cfg_getnsec(cfg, s->name, 0), s, base);
			break;
		case PLACE_ALWAYS:
			base = (char *)parent + s->at;
			if (there)
				read_section(b, cfg_getnsec(cfg, s->name, 0),
				    s, base);
			else
				read_options(b, NULL, s, base);
			break;
		}
	}
}

int
config_read(struct build *b)
{
	cfg_t *cfg = parse_grammar(b);

	if (cfg == NULL)
		return -1;
	read_options(b, cfg, &config_root, b->conf);
	read_sections(b, cfg, &config_root, b->conf);
	cfg_free(cfg);
	return 0;
}
