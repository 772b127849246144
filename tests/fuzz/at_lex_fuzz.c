/*
 * The lexer: bit 0 of the first byte is the mode, bit 1 expects a prompt, the
 * rest are bytes of a modem.  Cut any way, they give the same tokens; a token
 * is bounded, terminated, and holds no control character.
 */
#include <stdlib.h>
#include <string.h>

#include "modem/at_lex.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_token(const struct at_token *t)
{
	if (t->len > AT_LINE_MAX || strlen(t->text) != t->len)
		abort();
	for (size_t i = 0; i < t->len; i++)
		if ((unsigned char)t->text[i] < ' ' || t->text[i] == 0x7f)
			abort();
	if (t->kind == AT_LINE && t->len == 0)
		abort();
	if (t->hex && (t->len % 2 != 0 ||
	    strspn(t->text, "0123456789abcdefABCDEF") != t->len))
		abort();
}

/* A sum over all tokens of p, given in pieces of step bytes. */
static uint64_t
sum(const uint8_t *p, size_t n, uint8_t mode, size_t step)
{
	struct at_lex *l = at_lex_new(mode & 1 ? AT_STRICT : AT_LAX);
	uint64_t s = 14695981039346656037u;
	size_t part, used, stuck = 0;
	struct at_token t;

	at_lex_expect_prompt(l, mode & 2);
	while (n > 0) {
		part = n < step ? n : step;
		used = at_lex_next(l, p, part, &t);
		if (used > part || (used < part && t.kind == AT_NONE))
			abort();
		/* A byte may be left for the next token, but not for ever. */
		stuck = used == 0 ? stuck + 1 : 0;
		if (stuck > 1)
			abort();
		p += used;
		n -= used;
		if (t.kind == AT_NONE)
			continue;
		check_token(&t);
		for (size_t i = 0; i <= t.len; i++)
			s = (s ^ (uint8_t)t.text[i]) * 1099511628211u;
		s = (s ^ (uint64_t)t.kind) * 1099511628211u;
		if (t.kind == AT_LINE)
			at_lex_expect_prompt(l, mode & 2);
	}
	at_lex_free(l);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t whole;

	if (n == 0)
		return 0;
	whole = sum(p + 1, n - 1, p[0], n);
	if (sum(p + 1, n - 1, p[0], 1) != whole ||
	    sum(p + 1, n - 1, p[0], 7) != whole)
		abort();
	return 0;
}
