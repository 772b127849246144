#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config_internal.h"

#define MARKS "{}()=,"
#define BLANKS " \t\r\n\f\v"

struct lexer {
	struct build *b;
	struct scan *scan;
	const char *p, *end;
	int line;
	size_t size;		/* tokens allocated */
	char *word;		/* being decoded */
	size_t len, room;
	bool bad;
};

/* The tokens once more, in the order libconfuse shall see them. */
struct walker {
	struct build *b;
	struct scan *scan;
	size_t at;		/* next token */
	int line;		/* of the text written */
	char *out;
	size_t len, room;
};

struct seen {
	const char *name;
	int line;
};

/*
 * Tokens.
 */
static struct token *
add_token(struct lexer *x, enum token_type type)
{
	struct scan *s = x->scan;

	if (s->ntokens == x->size) {
		x->size = x->size == 0 ? 256 : x->size * 2;
		s->tokens = xreallocarray(s->tokens, x->size,
		    sizeof(*s->tokens));
	}
	s->tokens[s->ntokens] = (struct token){ .type = type, .line = x->line };
	return &s->tokens[s->ntokens++];
}

static void
word_add(struct lexer *x, char c)
{
	if (x->len + 1 >= x->room) {
		x->room = x->room == 0 ? 128 : x->room * 2;
		x->word = xreallocarray(x->word, x->room, 1);
	}
	x->word[x->len++] = c;
}

static void
word_end(struct lexer *x, int line)
{
	struct token *t = add_token(x, TOKEN_WORD);

	t->text = xstrndup(x->len > 0 ? x->word : "", x->len);
	t->line = line;
	x->len = 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Up to max digits of this base at p; -1 when there is none. */
static int
number(struct lexer *x, int base, int max)
{
	int v = -1, d;

	while (max-- > 0 && x->p < x->end) {
		d = hex_digit(*x->p);
		if (d == -1 || d >= base)
			break;
		v = (v == -1 ? 0 : v) * base + d;
		x->p++;
	}
	return v;
}

/* After a backslash in a "string". */
static void
escape(struct lexer *x)
{
	static const char names[] = "nrbfaetv";
	static const char values[] = "\n\r\b\f\a\033\t\v";
	const char *found;
	int v;

	if (*x->p == '\n') {
		x->p++;
		x->line++;
		return;
	}
	found = memchr(names, *x->p, sizeof(names) - 1);
	if (found != NULL) {
		word_add(x, values[found - names]);
		x->p++;
		return;
	}
	if (*x->p != 'x' && (*x->p < '0' || *x->p > '9')) {
		word_add(x, *x->p++);
		return;
	}
	if (*x->p == 'x') {
		x->p++;
		v = number(x, 16, 2);
	} else {
		v = number(x, 8, 3);
	}
	if (v < 1 || v > 255) {
		build_error(x->b, x->line, "a \\ in a string begins a "
		    "character code that is none: write \\\\ for \\ itself");
		x->bad = true;
		return;
	}
	word_add(x, (char)v);
}

static void
string(struct lexer *x, char quote)
{
	int line = x->line;

	for (x->p++; x->p < x->end && *x->p != quote;) {
		char c = *x->p++;

		if (c == '\n')
			x->line++;
		if (c != '\\' || x->p == x->end) {
			word_add(x, c);
		} else if (quote == '"') {
			escape(x);
		} else if (*x->p == '\n') {
			x->p++;
			x->line++;
		} else if (*x->p == '\\' || *x->p == '\'') {
			word_add(x, *x->p++);
		} else {
			word_add(x, c);
		}
	}
	if (x->p == x->end) {
		build_error(x->b, line, "the string that begins here has no "
		    "closing %c", quote);
		x->bad = true;
		return;
	}
	x->p++;
	word_end(x, line);
}

static bool
starts(const struct lexer *x, const char *s)
{
	size_t n = strlen(s);

	return (size_t)(x->end - x->p) >= n && memcmp(x->p, s, n) == 0;
}

/* Skip one; false when there is none here. */
static bool
comment(struct lexer *x)
{
	int line = x->line;

	if (*x->p == '#' || starts(x, "//")) {
		while (x->p < x->end && *x->p != '\n')
			x->p++;
		return true;
	}
	if (!starts(x, "/*"))
		return false;
	for (x->p += 2; x->p < x->end && !starts(x, "*/"); x->p++) {
		if (*x->p == '\n')
			x->line++;
	}
	if (x->p == x->end) {
		build_error(x->b, line, "the comment that begins here has no "
		    "closing */");
		x->bad = true;
		return true;
	}
	x->p += 2;
	return true;
}

static bool
is_plain(const struct lexer *x)
{
	unsigned char c = (unsigned char)*x->p;

	return c > ' ' && c != 0x7f && strchr(MARKS "#\"'*+", c) == NULL &&
	    !starts(x, "//") && !starts(x, "/*");
}

static void
one_token(struct lexer *x)
{
	char c = *x->p, show[8];

	if (strchr(MARKS, c) != NULL) {
		add_token(x, TOKEN_MARK)->mark = c;
		x->p++;
	} else if (starts(x, "+=")) {
		add_token(x, TOKEN_MARK)->mark = '+';
		x->p += 2;
	} else if (c == '"' || c == '\'') {
		string(x, c);
	} else if (is_plain(x)) {
		while (x->p < x->end && is_plain(x))
			word_add(x, *x->p++);
		word_end(x, x->line);
	} else {
		str_safe(show, sizeof(show), x->p, 1);
		build_error(x->b, x->line, "unexpected character %s: put "
		    "values into double quotes", show);
		x->bad = true;
		x->p++;
	}
}

static void
tokenize(struct lexer *x)
{
	while (x->p < x->end) {
		if (*x->p == '\n')
			x->line++;
		if (*x->p != '\0' && strchr(BLANKS, *x->p) != NULL)
			x->p++;
		else if (!comment(x))
			one_token(x);
	}
	add_token(x, TOKEN_END);
	free(x->word);
}

/*
 * Normal text.
 */
static void
put(struct walker *w, const char *s)
{
	size_t n = strlen(s);

	while (w->len + n + 1 > w->room) {
		w->room = w->room == 0 ? 1024 : w->room * 2;
		w->out = xreallocarray(w->out, w->room, 1);
	}
	memcpy(w->out + w->len, s, n + 1);
	w->len += n;
}

static const struct token *
peek(const struct walker *w)
{
	return &w->scan->tokens[w->at];
}

static bool
at_mark(const struct walker *w, char mark)
{
	return peek(w)->type == TOKEN_MARK && peek(w)->mark == mark;
}

static void
skip_token(struct walker *w)
{
	if (peek(w)->type != TOKEN_END)
		w->at++;
}

/* The next token on its own line: as it is, or as its number. */
static void
pass(struct walker *w, bool as_number)
{
	const struct token *t = peek(w);
	char text[24];
	char *quoted = NULL;

	for (; w->line < t->line; w->line++)
		put(w, "\n");
	if (t->type == TOKEN_MARK) {
		snprintf(text, sizeof(text), "%s ",
		    t->mark == '+' ? "+=" : (char[]){ t->mark, '\0' });
		put(w, text);
	} else if (t->type == TOKEN_WORD && as_number) {
		snprintf(text, sizeof(text), "%zu ", w->at);
		put(w, text);
	} else if (t->type == TOKEN_WORD) {
		config_quote(&quoted, t->text);
		put(w, quoted);
		put(w, " ");
		free(quoted);
	}
	skip_token(w);
}

static int
expect(struct walker *w, char mark)
{
	if (!at_mark(w, mark))
		return -1;
	pass(w, false);
	return 0;
}

/* Leave out an unknown option or section, to the end of its value. */
static int
skip_unknown(struct walker *w)
{
	int depth = 0;

	if (at_mark(w, '=') || at_mark(w, '+')) {
		skip_token(w);
		if (peek(w)->type == TOKEN_WORD) {
			skip_token(w);
			return 0;
		}
	} else if (peek(w)->type == TOKEN_WORD) {
		skip_token(w);
	}
	if (!at_mark(w, '{') && !at_mark(w, '('))
		return -1;
	do {
		if (at_mark(w, '{') || at_mark(w, '('))
			depth++;
		else if (at_mark(w, '}') || at_mark(w, ')'))
			depth--;
		else if (peek(w)->type == TOKEN_END)
			return -1;
		skip_token(w);
	} while (depth > 0);
	return 0;
}

/* = value, = { value, ... } or += of these. */
static int
walk_value(struct walker *w, const struct config_option *o)
{
	if (o->list && at_mark(w, '+'))
		pass(w, false);
	else if (expect(w, '=') == -1)
		return -1;
	if (peek(w)->type == TOKEN_WORD) {
		pass(w, true);
		return 0;
	}
	if (!o->list || expect(w, '{') == -1)
		return -1;
	while (peek(w)->type == TOKEN_WORD) {
		pass(w, true);
		if (!at_mark(w, ','))
			break;
		pass(w, false);
	}
	return expect(w, '}');
}

/* Remember name; the line where it was before, 0 when it was not. */
static int
see(struct seen *seen, size_t *n, size_t max, const struct token *name)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp(seen[i].name, name->text) == 0)
			return seen[i].line;
	}
	if (*n < max)
		seen[(*n)++] = (struct seen){ name->text, name->line };
	return 0;
}

static void
unknown(struct walker *w, const struct config_section *in,
    const struct token *key)
{
	char show[SHOW_TEXT], *known = NULL;
	const struct config_section *s;

	for (const struct config_option *o = in->options; o->name != NULL; o++)
		config_append(&known, "%s%s", known == NULL ? "" : ", ",
		    o->name);
	for (s = in->sections; s != NULL && s->name != NULL; s++)
		config_append(&known, ", %s", s->name);
	build_error(w->b, key->line, "unknown option \"%s\"%s%s: there are "
	    "%s", build_show(show, key->text), in->name[0] == '\0' ? "" :
	    " in section ", in->name, known);
	free(known);
}

static int walk(struct walker *, const struct config_section *, int depth);

static int
walk_section(struct walker *w, const struct config_section *s, int depth)
{
	if (s->place == PLACE_MANY) {
		if (peek(w)->type != TOKEN_WORD)
			return -1;
		pass(w, true);
	}
	if (expect(w, '{') == -1 || walk(w, s, depth + 1) == -1)
		return -1;
	return expect(w, '}');
}

/* The options of one section.  -1: this is not the grammar. */
static int
walk(struct walker *w, const struct config_section *in, int depth)
{
	struct seen seen[32];
	size_t nseen = 0;

	while (peek(w)->type == TOKEN_WORD) {
		const struct token *key = peek(w);
		const struct config_option *o;
		const struct config_section *s;
		bool append;
		int before, r;

		o = config_find_option(in, key->text);
		s = config_find_section(in, key->text);
		if (o == NULL && s == NULL) {
			unknown(w, in, key);
			skip_token(w);
			if (skip_unknown(w) == -1)
				return -1;
			continue;
		}
		pass(w, false);
		append = at_mark(w, '+');
		before = append ||
		    (s != NULL && s->place == PLACE_MANY) ? 0 :
		    see(seen, &nseen, 32, key);
		if (before != 0)
			build_error(w->b, key->line, "\"%s\" is given again "
			    "(first on line %d): remove one", key->text,
			    before);
		r = o != NULL ? walk_value(w, o) : walk_section(w, s, depth);
		if (r == -1)
			return -1;
	}
	return depth == 0 && peek(w)->type != TOKEN_END ? -1 : 0;
}

static bool
is_text(struct build *b, const char *text, size_t n)
{
	const char *nul = memchr(text, '\0', n);
	int line = 1;

	if (n > CONFIG_TEXT_MAX) {
		build_error(b, 1, "this is larger than %d bytes: "
		    "is it a configuration?", CONFIG_TEXT_MAX);
		return false;
	}
	if (nul == NULL)
		return true;
	for (const char *p = text; p < nul; p++)
		line += *p == '\n';
	build_error(b, line, "there is a NUL byte: this is not a text file");
	return false;
}

struct scan *
scan_new(struct build *b, const char *text, size_t n)
{
	struct scan *s = xcalloc(1, sizeof(*s));
	struct lexer x = { .b = b, .scan = s, .p = text, .end = text + n,
	    .line = 1 };
	struct walker w = { .b = b, .scan = s, .line = 1 };

	if (!is_text(b, text, n)) {
		scan_free(s);
		return NULL;
	}
	tokenize(&x);
	if (x.bad) {
		scan_free(s);
		return NULL;
	}
	put(&w, "");
	s->odd = walk(&w, &config_root, 0) == -1;
	while (peek(&w)->type != TOKEN_END)
		pass(&w, false);
	s->normal = w.out;
	return s;
}

void
scan_free(struct scan *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->ntokens; i++)
		free(s->tokens[i].text);
	free(s->tokens);
	free(s->normal);
	free(s);
}

const struct token *
scan_token(const struct scan *s, const char *value)
{
	return &s->tokens[strtoul(value, NULL, 10)];
}

int
scan_section_line(const struct scan *s, const char *name)
{
	int depth = 0;

	for (const struct token *t = s->tokens; t->type != TOKEN_END; t++) {
		if (t->type == TOKEN_MARK && t->mark == '{')
			depth++;
		else if (t->type == TOKEN_MARK && t->mark == '}')
			depth--;
		else if (depth == 0 && t->type == TOKEN_WORD &&
		    t[1].type == TOKEN_MARK && t[1].mark == '{' &&
		    strcmp(t->text, name) == 0)
			return t->line;
	}
	return 0;
}
