#include <stdbool.h>
#include <string.h>

#include "editor.h"

#define RUB "\b \b"

enum {
	KEY_INTR = 0x03,
	KEY_EOF = 0x04,
	KEY_BS = 0x08,
	KEY_KILL = 0x15,
	KEY_WERASE = 0x17,
	KEY_ESC = 0x1b,
	KEY_DEL = 0x7f,
};

struct typing {
	struct editor *e;
	editor_echo_fn *echo;
	void *arg;
};

void
editor_start(struct editor *e)
{
	e->n = 0;
	e->text[0] = '\0';
}

/* The last character: its continuation bytes, too. */
static void
rub(struct typing *t)
{
	struct editor *e = t->e;

	if (e->n == 0)
		return;
	while (e->n > 1 && ((uint8_t)e->text[e->n - 1] & 0xc0) == 0x80)
		e->n--;
	e->n--;
	e->text[e->n] = '\0';
	t->echo(t->arg, RUB, 3);
}

static void
rub_word(struct typing *t)
{
	struct editor *e = t->e;

	while (e->n > 0 && e->text[e->n - 1] == ' ')
		rub(t);
	while (e->n > 0 && e->text[e->n - 1] != ' ')
		rub(t);
}

static void
add(struct typing *t, char c)
{
	struct editor *e = t->e;

	if (e->n == EDITOR_MAX) {
		t->echo(t->arg, "\a", 1);
		return;
	}
	e->text[e->n++] = c;
	e->text[e->n] = '\0';
	t->echo(t->arg, &c, 1);
}

/* Length of a function key's sequence at p (which is ESC), 0: a bare Esc. */
static size_t
function_key(const uint8_t *p, size_t n)
{
	size_t i = 2;

	if (n < 3 || (p[1] != '[' && p[1] != 'O'))
		return 0;
	while (i < n && (p[i] < 0x40 || p[i] > 0x7e))
		i++;
	return i < n ? i + 1 : n;
}

static enum editor_does
one_key(struct typing *t, uint8_t c)
{
	switch (c) {
	case '\r':
	case '\n':
		return EDITOR_DONE;
	case KEY_INTR:
	case KEY_ESC:
		return EDITOR_CANCEL;
	case KEY_EOF:
		return t->e->n == 0 ? EDITOR_CANCEL : EDITOR_MORE;
	case KEY_BS:
	case KEY_DEL:
		rub(t);
		return EDITOR_MORE;
	case KEY_KILL:
		while (t->e->n > 0)
			rub(t);
		return EDITOR_MORE;
	case KEY_WERASE:
		rub_word(t);
		return EDITOR_MORE;
	}
	if (c >= 0x20)
		add(t, (char)c);
	return EDITOR_MORE;
}

enum editor_does
editor_type(struct editor *e, const void *data, size_t n, size_t *used,
    editor_echo_fn *echo, void *arg)
{
	struct typing t = { e, echo, arg };
	const uint8_t *p = data;
	enum editor_does does = EDITOR_MORE;
	size_t i = 0;

	while (i < n && does == EDITOR_MORE) {
		size_t skip = p[i] == KEY_ESC ? function_key(p + i, n - i) : 0;

		if (skip > 0)
			i += skip;
		else
			does = one_key(&t, p[i++]);
	}
	*used = i;
	return does;
}
