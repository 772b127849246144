#include <string.h>

#include "typed.h"

void
typed_init(struct typed *t)
{
	t->len = t->echoed = t->total = 0;
	t->ended = t->hidden = false;
}

size_t
typed_add(struct typed *t, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		t->total++;
		if (p[i] == '\r' || p[i] == '\n') {
			t->ended = true;
			return i + 1;
		}
		if (t->len == TYPED_MAX)
			t->hidden = true;
		else
			t->line[t->len++] = p[i];
	}
	return n;
}

void
typed_echo(struct typed *t, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && t->echoed < t->len && !t->hidden; i++) {
		if (p[i] == t->line[t->echoed])
			t->echoed++;
		else
			t->hidden = true;
	}
}

const uint8_t *
typed_take(struct typed *t, size_t *n, size_t *total)
{
	/*
	 * The end of the line may come before its last echo: what had not
	 * come back by then is not known to be visible.
	 */
	bool show = !t->hidden && t->echoed == t->len;

	*n = t->len;
	*total = t->total;
	typed_init(t);
	return show ? t->line : NULL;
}

