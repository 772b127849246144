#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "words.h"

/* Where the reading stands; the words are written behind, in the store. */
struct reader {
	const char *p;
	char *out;
	const char *why;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
single_quoted(struct reader *r)
{
	const char *end = strchr(r->p, '\'');

	if (end == NULL) {
		r->why = "a ' is not closed";
		return;
	}
	memmove(r->out, r->p, (size_t)(end - r->p));
	r->out += end - r->p;
	r->p = end + 1;
}

static void
double_quoted(struct reader *r)
{
	for (; *r->p != '"'; r->p++) {
		if (*r->p == '\0') {
			r->why = "a \" is not closed";
			return;
		}
		/* Before any other character the backslash is itself. */
		if (*r->p == '\\' && r->p[1] != '\0' &&
		    strchr("\\\"$`", r->p[1]) != NULL)
			r->p++;
		*r->out++ = *r->p;
	}
	r->p++;
}

static void
one_word(struct reader *r)
{
	while (*r->p != '\0' && !is_blank(*r->p) && r->why == NULL) {
		char c = *r->p++;

		if (c == '\'') {
			single_quoted(r);
		} else if (c == '"') {
			double_quoted(r);
		} else if (c == '\\') {
			if (*r->p == '\0')
				r->why = "nothing follows the last \\";
			else
				*r->out++ = *r->p++;
		} else {
			*r->out++ = c;
		}
	}
	*r->out++ = '\0';
}

int
words_split(struct words *w, const char *text, const char **why)
{
	struct reader r = { .p = text };
	size_t n = strlen(text);

	memset(w, 0, sizeof(*w));
	if (n > WORDS_TEXT_MAX) {
		*why = "the command is too long";
		return -1;
	}
	/* A word and its NUL never need more than the word and its blank. */
	r.out = w->store = xmalloc(n + 2);
	for (;;) {
		while (is_blank(*r.p))
			r.p++;
		if (*r.p == '\0' || r.why != NULL)
			break;
		if (w->argc == ARGS_MAX) {
			r.why = "the command has too many words";
			break;
		}
		w->argv[w->argc++] = r.out;
		one_word(&r);
	}
	if (r.why == NULL)
		return 0;
	*why = r.why;
	words_free(w);
	return -1;
}

void
words_free(struct words *w)
{
	free(w->store);
	memset(w, 0, sizeof(*w));
}

char *
words_join(int argc, char *const argv[])
{
	size_t n = 1;
	char *text, *p;

	if (argc > ARGS_MAX)
		return NULL;
	/* Every ' becomes '\'', and each word gets quotes and a blank. */
	for (int i = 0; i < argc; i++) {
		n += 3;
		for (const char *a = argv[i]; *a != '\0'; a++)
			n += *a == '\'' ? 4 : 1;
	}
	if (n > WORDS_TEXT_MAX)
		return NULL;
	p = text = xmalloc(n);
	for (int i = 0; i < argc; i++) {
		if (i > 0)
			*p++ = ' ';
		*p++ = '\'';
		for (const char *a = argv[i]; *a != '\0'; a++) {
			if (*a == '\'') {
				memcpy(p, "'\\''", 4);
				p += 4;
			} else {
				*p++ = *a;
			}
		}
		*p++ = '\'';
	}
	*p = '\0';
	return text;
}
