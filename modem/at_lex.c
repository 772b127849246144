#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../server/base/mem.h"
#include "at_lex.h"

struct at_lex {
	enum at_lex_mode mode;
	bool want_prompt;
	bool eat_blank;		/* of a prompt that was told at its '>' */
	bool fresh;		/* text belongs to a token already given */
	bool cut;		/* the line is longer than there is room */
	bool junk;		/* strict: it held what no line may hold */
	bool cr;		/* strict: CR seen, is LF next? */
	size_t len;
	char text[AT_LINE_MAX + 1];
};

struct at_lex *
at_lex_new(enum at_lex_mode mode)
{
	struct at_lex *l = xcalloc(1, sizeof(*l));

	l->mode = mode;
	return l;
}

void
at_lex_free(struct at_lex *l)
{
	/* What it holds may be a message with a code in it. */
	freezero(l, sizeof(*l));
}

void
at_lex_reset(struct at_lex *l)
{
	enum at_lex_mode mode = l->mode;

	memset(l, 0, sizeof(*l));
	l->mode = mode;
}

void
at_lex_expect_prompt(struct at_lex *l, bool want)
{
	l->want_prompt = want;
}

static void
begin(struct at_lex *l)
{
	l->len = 0;
	l->cut = l->junk = l->cr = l->fresh = false;
}

static void
keep(struct at_lex *l, uint8_t c)
{
	if (l->len == AT_LINE_MAX)
		l->cut = true;
	else
		l->text[l->len++] = (char)c;
}

static bool
is_hex(const char *p, size_t n)
{
	if (n == 0 || n % 2 != 0)
		return false;
	while (n > 0 && isxdigit((unsigned char)*p)) {
		p++;
		n--;
	}
	return n == 0;
}

/* The line is over: into a token, if there is anything in it. */
static bool
end_line(struct at_lex *l, struct at_token *t)
{
	bool some = l->len > 0 || l->junk;

	l->text[l->len] = '\0';
	t->kind = l->cut ? AT_LONG : l->junk ? AT_JUNK : AT_LINE;
	t->text = l->text;
	t->len = l->len;
	t->hex = t->kind == AT_LINE && is_hex(l->text, l->len);
	if (!some) {
		begin(l);
		t->kind = AT_NONE;
	}
	l->fresh = some;
	return some;
}

static bool
end_prompt(struct at_lex *l, struct at_token *t)
{
	l->want_prompt = false;
	l->fresh = true;
	strcpy(l->text, ">");
	*t = (struct at_token){ .kind = AT_PROMPT, .text = l->text, .len = 1 };
	return true;
}

/* One byte, lax.  True when it completed a token. */
static bool
take_lax(struct at_lex *l, uint8_t c, struct at_token *t)
{
	if (l->eat_blank) {
		l->eat_blank = false;
		if (c == ' ')
			return false;
	}
	if (c == '\r' || c == '\n')
		return end_line(l, t);
	if (l->want_prompt && l->len == 0 && c == '>') {
		l->eat_blank = true;
		return end_prompt(l, t);
	}
	if (c == '\t')
		c = ' ';
	if (c >= ' ' && c != 0x7f)
		keep(l, c);
	return false;
}

static bool
is_echo(const struct at_lex *l)
{
	return l->len >= 2 && strncasecmp(l->text, "AT", 2) == 0;
}

/*
 * One byte, strict.  True when a token is complete; *again when this byte
 * belongs to the next one.
 */
static bool
take_strict(struct at_lex *l, uint8_t c, struct at_token *t, bool *again)
{
	if (c == '\r') {
		l->cr = true;
		return false;
	}
	if (c == '\n') {
		l->junk = l->junk || !l->cr;
		return end_line(l, t);
	}
	if (l->cr) {
		/* CR alone ends nothing but what we sent ourselves. */
		*again = true;
		l->junk = l->junk || !is_echo(l);
		return end_line(l, t);
	}
	if (l->want_prompt && l->len == 1 && l->text[0] == '>' && c == ' ' &&
	    !l->junk)
		return end_prompt(l, t);
	if (c < ' ' || c > '~')
		l->junk = true;
	else
		keep(l, c);
	return false;
}

size_t
at_lex_next(struct at_lex *l, const uint8_t *p, size_t n, struct at_token *t)
{
	bool done, again = false;
	size_t i = 0;

	*t = (struct at_token){ .kind = AT_NONE, .text = "" };
	if (l->fresh)
		begin(l);
	while (i < n) {
		done = l->mode == AT_LAX ? take_lax(l, p[i], t) :
		    take_strict(l, p[i], t, &again);
		if (!again)
			i++;
		if (done)
			break;
		again = false;
	}
	return i;
}
