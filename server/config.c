#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_internal.h"

#define WHOLE SIZE_MAX		/* index of the option itself */

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

/* libconfuse's error callback has no argument: set while it parses. */
static struct build *parsing;

/*
 * Complaints.
 */
static void complain(struct build *, const char *, int, const char *, va_list)
    __attribute__((format(printf, 4, 0)));

static void
complain(struct build *b, const char *file, int line, const char *fmt,
    va_list ap)
{
	struct complaint *c;
	char *text;

	if (vasprintf(&text, fmt, ap) == -1)
		abort();
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
 * Lines.
 */
static void
note_line(struct build *b, const void *field, size_t index, int line)
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
	return find_line(b, field, WHOLE) != NULL;
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
		    (s->titled ? CFGF_MULTI | CFGF_TITLE : 0);
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

	build_error(b, t->line, "%s \"%s\": %s", o->name,
	    build_show(show, t->text), why);
}

static void
append(void *base, const struct config_option *o, char *text)
{
	char ***list = (char ***)(void *)((char *)base + o->at);
	size_t *n = (size_t *)(void *)((char *)base + o->count_at);

	*list = xreallocarray(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = text;
}

static void
set_default(void *base, const struct config_option *o)
{
	char why[CONFIG_WHY], *copy, *rest, *word;

	if (o->dflt == NULL || base == NULL)
		return;
	if (!o->list) {
		o->set((char *)base + o->at, o, o->dflt, why);
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
	void *field = base == NULL ? NULL : (char *)base + o->at;

	if (o->set(o->list && field != NULL ? (void *)&one : field, o, t->text,
	    why) == -1) {
		bad_value(b, o, t, why);
		free(one);
	} else if (o->list && field != NULL) {
		note_line(b, field, *(size_t *)(void *)((char *)base +
		    o->count_at), t->line);
		append(base, o, one);
	} else if (field != NULL) {
		note_line(b, field, 0, t->line);
	}
}

/* base: the section's struct, NULL for one that is only checked. */
static void
read_options(struct build *b, cfg_t *cfg, const struct config_section *in,
    void *base)
{
	for (const struct config_option *o = in->options; o->name != NULL;
	    o++) {
		cfg_opt_t *opt = cfg_getopt(cfg, o->name);

		/* A bad value leaves the default for later checks. */
		if (!(opt->flags & CFGF_MODIFIED) || !o->list)
			set_default(base, o);
		if (!(opt->flags & CFGF_MODIFIED))
			continue;
		if (base != NULL)
			note_line(b, (char *)base + o->at, WHOLE, cfg->line);
		for (unsigned i = 0; i < cfg_opt_size(opt); i++)
			set_one(b, base, o, scan_token(b->scan,
			    cfg_opt_getnstr(opt, i)));
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

static void
read_console(struct build *b, cfg_t *cfg, struct config_console *c)
{
	const struct config_section *s = config_find_section(&config_root,
	    "console");
	const struct config_section *alert = config_find_section(s, "alert");
	int line;

	c->name = read_title(b, cfg, &c->file_line);
	line_default(&c->line);
	read_options(b, cfg, s, c);
	c->nalerts = cfg_size(cfg, "alert");
	c->alerts = xcalloc(c->nalerts, sizeof(*c->alerts));
	for (size_t i = 0; i < c->nalerts; i++) {
		cfg_t *sub = cfg_getnsec(cfg, "alert", (unsigned)i);

		c->alerts[i].name = read_title(b, sub, &line);
		note_line(b, &c->alerts[i].name, 0, line);
		read_options(b, sub, alert, &c->alerts[i]);
	}
}

static void
read_user(struct build *b, cfg_t *cfg, struct config_user *u)
{
	u->name = read_title(b, cfg, &u->file_line);
	read_options(b, cfg, config_find_section(&config_root, "user"), u);
	u->ninline = u->nkeys;
}

/* How many sections of this name; one complaint when they are too many. */
static size_t
count(struct build *b, cfg_t *cfg, const char *name, size_t max)
{
	size_t n = cfg_size(cfg, name);

	if (n <= max)
		return n;
	build_error(b, 1, "there are more than %zu %s sections", max, name);
	return max;
}

static void
read_sections(struct build *b, cfg_t *cfg)
{
	struct config *c = b->conf;

	c->nconsoles = count(b, cfg, "console", CONFIG_CONSOLES_MAX);
	c->consoles = xcalloc(c->nconsoles, sizeof(*c->consoles));
	for (size_t i = 0; i < c->nconsoles; i++)
		read_console(b, cfg_getnsec(cfg, "console", (unsigned)i),
		    &c->consoles[i]);
	c->nusers = count(b, cfg, "user", CONFIG_USERS_MAX);
	c->users = xcalloc(c->nusers, sizeof(*c->users));
	for (size_t i = 0; i < c->nusers; i++)
		read_user(b, cfg_getnsec(cfg, "user", (unsigned)i),
		    &c->users[i]);
}

/* A section that nothing uses yet: check it, and keep it as text. */
static void
read_later(struct build *b, cfg_t *cfg, const struct config_section *s)
{
	char **text = &b->conf->later;
	int line;

	config_append(text, "\n%s ", s->name);
	if (s->titled) {
		char *title = read_title(b, cfg, &line);

		config_quote(text, title);
		config_append(text, " ");
		free(title);
	}
	config_append(text, "{\n");
	read_options(b, cfg, s, NULL);
	for (const struct config_option *o = s->options; o->name != NULL;
	    o++) {
		cfg_opt_t *opt = cfg_getopt(cfg, o->name);

		if (!(opt->flags & CFGF_MODIFIED))
			continue;
		config_append(text, "\t%s = %s", o->name, o->list ? "{" : "");
		for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
			config_append(text, i > 0 ? ", " : "");
			config_quote(text, scan_token(b->scan,
			    cfg_opt_getnstr(opt, i))->text);
		}
		config_append(text, "%s\n", o->list ? "}" : "");
	}
	config_append(text, "}\n");
}

static void
read_ssh(struct build *b, cfg_t *cfg)
{
	const struct config_section *s = config_find_section(&config_root,
	    "ssh");

	if (cfg_size(cfg, "ssh") > 0) {
		read_options(b, cfg_getnsec(cfg, "ssh", 0), s, &b->conf->ssh);
		return;
	}
	for (const struct config_option *o = s->options; o->name != NULL; o++)
		set_default(&b->conf->ssh, o);
}

static void
read_all(struct build *b, cfg_t *cfg)
{
	const struct config_section *s;

	b->conf->later = xstrdup("");
	read_options(b, cfg, &config_root, b->conf);
	read_sections(b, cfg);
	read_ssh(b, cfg);
	for (s = config_root.sections; s->name != NULL; s++) {
		for (unsigned i = 0; s->later && i < cfg_size(cfg, s->name);
		    i++)
			read_later(b, cfg_getnsec(cfg, s->name, i), s);
	}
}

/*
 * Defaults that depend on the system or on other options.
 */
static void
default_text(char **field, const char *text)
{
	if (*field == NULL)
		*field = xstrdup(text);
}

static void
default_name(struct config *c)
{
	char host[256] = "";

	if (c->name != NULL)
		return;
	gethostname(host, sizeof(host) - 1);
	host[32] = '\0';
	c->name = xstrdup(str_is_name(host) ? host : "oobd");
}

static void
fill_in(struct build *b)
{
	struct config *c = b->conf;
	char *path;
	size_t n;

	default_name(c);
	default_text(&c->state_dir, config_paths.state_dir);
	default_text(&c->log_dir, config_paths.log_dir);
	default_text(&c->control, config_paths.control);
	n = strlen(c->control);
	if (c->run_dir == NULL && n > 5 &&
	    strcmp(c->control + n - 5, ".sock") == 0)
		c->run_dir = xstrndup(c->control, n - 5);
	else if (c->run_dir == NULL)
		c->run_dir = xasprintf("%s.run", c->control);
	if (c->ssh.host_key != NULL && c->ssh.host_key[0] != '/') {
		path = xasprintf("%s/%s", c->state_dir, c->ssh.host_key);
		free(c->ssh.host_key);
		c->ssh.host_key = path;
	}
	/* A default gives way to a lower limit that was asked for. */
	if (!build_has(b, &c->ssh.max_unauth_source) &&
	    c->ssh.max_unauth_source > c->ssh.max_unauth)
		c->ssh.max_unauth_source = c->ssh.max_unauth;
	if (!build_has(b, &c->sync_typing_ms) &&
	    c->sync_typing_ms > c->sync_idle_ms)
		c->sync_typing_ms = c->sync_idle_ms;
}

static struct config *
build(struct build *b, const char *text, size_t n, bool system)
{
	cfg_t *cfg;

	b->conf = xcalloc(1, sizeof(*b->conf));
	b->scan = scan_new(b, text, n);
	cfg = b->scan == NULL ? NULL : parse_grammar(b);
	if (cfg != NULL) {
		read_all(b, cfg);
		cfg_free(cfg);
		fill_in(b);
		config_check(b);
		config_keys(b, system);
		if (system)
			config_check_system(b);
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

static void
free_texts(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static void
free_console(struct config_console *c)
{
	free(c->name);
	free(c->device);
	free(c->description);
	for (size_t i = 0; i < c->nalerts; i++) {
		free(c->alerts[i].name);
		free(c->alerts[i].match);
	}
	free(c->alerts);
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->nconsoles; i++)
		free_console(&c->consoles[i]);
	for (size_t i = 0; i < c->nusers; i++) {
		free(c->users[i].name);
		free(c->users[i].keys_file);
		free_texts(c->users[i].keys, c->users[i].nkeys);
		free_texts(c->users[i].consoles, c->users[i].nconsoles);
	}
	free(c->consoles);
	free(c->users);
	free_texts(c->ssh.listen, c->ssh.nlisten);
	free(c->ssh.host_key);
	free(c->name);
	free(c->state_dir);
	free(c->log_dir);
	free(c->run_dir);
	free(c->control);
	free(c->service_user);
	free(c->control_group);
	free(c->later);
	free(c);
}

const char *
config_default_path(void)
{
	return config_paths.file;
}
