#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "record.h"
#include "stage.h"
#include "strip.h"
#include "viewout.h"

#define PART 4096		/* filtered at a time */
#define LEAST_ROWS 4		/* fewer have no room for a line of ours */
#define SEQUENCE_MAX 16		/* two sequences that clear, at most */

struct stage {
	struct viewout out;
	bool raw, taken;
	unsigned columns, rows;		/* when it was taken, or changed */
	bool saved;			/* the device saved the cursor */
	struct strip_screen filter;
	bool known;
	size_t kept;
	char keep[2 * STAGE_KEPT];
	char shown[STRIP_SCREEN_ROOM(PART)];
};

struct stage *
stage_new(const struct view *v, bool raw)
{
	struct stage *s = xcalloc(1, sizeof(*s));

	s->out.view = v;
	s->raw = raw;
	strip_screen_init(&s->filter, !v->tty);
	return s;
}

void
stage_free(struct stage *s)
{
	free(s);
}

bool
stage_is_gone(const struct stage *s)
{
	return s->out.gone;
}

bool
stage_has_status(const struct stage *s)
{
	return s->taken;
}

static void
put(struct stage *s, const char *text)
{
	viewout_string(&s->out, text);
}

static void
read_size(const struct stage *s, unsigned *columns, unsigned *rows)
{
	const struct view *v = s->out.view;

	*columns = *rows = 0;
	if (v->tty && v->ops->size != NULL)
		v->ops->size(v->arg, columns, rows);
}

/* Scrolling leaves the last line alone. */
static void
set_margins(struct stage *s, unsigned top, unsigned bottom)
{
	char text[32];

	if (bottom == 0 || bottom > s->rows - 1)
		bottom = s->rows - 1;
	if (top == 0 || top >= bottom)
		top = 1;
	snprintf(text, sizeof(text), "\x1b[%u;%ur", top, bottom);
	put(s, text);
}

static void
clear(struct stage *s)
{
	put(s, "\x0f\x1b(B\x1b[m\x1b[4l\x1b[?7h\x1b[?25h");
	if (s->taken)
		set_margins(s, 0, 0);
	put(s, "\x1b[2J\x1b[H");
	s->saved = false;
}

void
stage_open(struct stage *s)
{
	read_size(s, &s->columns, &s->rows);
	if (s->rows < LEAST_ROWS)
		return;
	s->taken = true;
	put(s, "\x1b[?1049h");
	clear(s);
	viewout_flush(&s->out);
}

void
stage_close(struct stage *s)
{
	if (!s->out.view->tty)
		return;
	put(s, strip_screen_reset());
	put(s, s->taken ? "\x1b[2J" STAGE_LEAVE : "\r\n");
	viewout_flush(&s->out);
	s->taken = false;
}

/*
 * A sequence at p of n bytes, which is whole: its length.  Margins are moved
 * off the last line, and it is noted whether the cursor is saved.
 */
static size_t
put_sequence(struct stage *s, const char *p, size_t n)
{
	unsigned top = 0, bottom = 0;
	size_t len = 2;

	if (n > 1 && p[1] != '[') {
		if (p[1] == '7' || p[1] == '8')
			s->saved = p[1] == '7';
		viewout_put(&s->out, p, 1);
		return 1;		/* the rest is text like any other */
	}
	while (len < n && (p[len] < '@' || p[len] > '~'))
		len++;
	if (len >= n)
		len = n - 1;
	if (p[len] == 's' || p[len] == 'u')
		s->saved = p[len] == 's';
	if (p[len] == 'r') {
		sscanf(p + 2, "%4u;%4u", &top, &bottom);
		if (p[2] == ';')
			sscanf(p + 3, "%4u", &bottom);
		set_margins(s, top, bottom);
	} else {
		viewout_put(&s->out, p, len + 1);
	}
	return len + 1;
}

/* Filtered text to the terminal. */
static void
put_shown(struct stage *s, const char *p, size_t n)
{
	const char *esc;
	size_t run;

	if (!s->taken || s->raw) {
		viewout_put(&s->out, p, n);
		return;
	}
	while (n > 0) {
		esc = memchr(p, 0x1b, n);
		run = esc == NULL ? n : (size_t)(esc - p);
		viewout_put(&s->out, p, run);
		p += run;
		n -= run;
		if (n > 0) {
			run = put_sequence(s, p, n);
			p += run;
			n -= run;
		}
	}
}

/* Through the filter, in parts, to where it goes. */
static void
filter(struct stage *s, const void *data, size_t n,
    void (*take)(struct stage *, const char *, size_t))
{
	const char *p = data;
	size_t part;

	for (; n > 0; p += part, n -= part) {
		part = n < PART ? n : PART;
		if (s->raw)
			take(s, p, part);
		else
			take(s, s->shown, strip_screen(&s->filter, p, part,
			    s->shown));
	}
}

void
stage_write(struct stage *s, const void *data, size_t n)
{
	filter(s, data, n, put_shown);
	viewout_flush(&s->out);
}

void
stage_rewind(struct stage *s)
{
	strip_screen_init(&s->filter, !s->out.view->tty);
	s->known = false;
	s->kept = 0;
}

bool
stage_is_known(const struct stage *s)
{
	return s->known;
}

/* Where the last thing that clears the screen begins, from `from` on. */
static const char *
last_clear(const char *from, const char *end)
{
	static const char *const clears[] = { "\x1b[2J", "\x1b[H\x1b[J",
	    "\x1b[H\x1b[0J", "\x1b[1;1H\x1b[J", "\x1b[1;1H\x1b[0J",
	    "\x1b[;H\x1b[J" };
	const char *last = NULL, *p, *hit;

	for (size_t i = 0; i < sizeof(clears) / sizeof(clears[0]); i++) {
		for (p = from; (hit = memmem(p, (size_t)(end - p), clears[i],
		    strlen(clears[i]))) != NULL; p = hit + 1) {
			if (last == NULL || hit > last)
				last = hit;
		}
	}
	return last;
}

/* The older half goes, up to the end of a line. */
static void
shorten(struct stage *s)
{
	const char *from = s->keep + s->kept - STAGE_KEPT, *lf;

	lf = memchr(from, '\n', STAGE_KEPT);
	if (lf != NULL)
		from = lf + 1;
	s->kept -= (size_t)(from - s->keep);
	memmove(s->keep, from, s->kept);
}

static void
keep(struct stage *s, const char *p, size_t n)
{
	size_t old = s->kept < SEQUENCE_MAX ? s->kept : SEQUENCE_MAX;
	const char *clear_at;

	if (s->kept + n > sizeof(s->keep))
		shorten(s);
	memcpy(s->keep + s->kept, p, n);
	s->kept += n;
	if (old > s->kept - n)
		old = s->kept - n;
	clear_at = last_clear(s->keep + s->kept - n - old,
	    s->keep + s->kept);
	if (clear_at == NULL)
		return;
	s->known = true;
	s->kept -= (size_t)(clear_at - s->keep);
	memmove(s->keep, clear_at, s->kept);
}

void
stage_feed(struct stage *s, const void *data, size_t n)
{
	filter(s, data, n, keep);
	if (s->kept >= STAGE_KEPT)
		s->known = true;	/* all that we shall ever want */
}

void
stage_show(struct stage *s)
{
	if (s->out.view->tty)
		clear(s);
	put_shown(s, s->keep, s->kept);
	viewout_flush(&s->out);
}

/* As much of a line of text as fits, in whole characters. */
static size_t
fitting(const char *text, size_t columns)
{
	size_t at = 0, n = strlen(text);

	while (at < n && columns-- > 0) {
		int len = str_utf8((const uint8_t *)text + at, n - at);

		if (len <= 0)
			break;
		at += (size_t)len;
	}
	return at;
}

void
stage_status(struct stage *s, const char *text)
{
	unsigned columns, rows;
	char go[32];

	/* There is one place only to keep the cursor in. */
	if (!s->taken || s->saved)
		return;
	read_size(s, &columns, &rows);
	put(s, "\x1b" "7");
	if (rows >= LEAST_ROWS && (rows != s->rows ||
	    columns != s->columns)) {
		s->rows = rows;
		s->columns = columns;
		set_margins(s, 0, 0);
	}
	snprintf(go, sizeof(go), "\x1b[%u;1H", s->rows);
	put(s, go);
	put(s, "\x0f\x1b(B\x1b[m\x1b[7m\x1b[2K");
	viewout_put(&s->out, text, fitting(text, s->columns > 1 ?
	    s->columns - 1 : 1));
	put(s, "\x1b[m\x1b" "8");
	viewout_flush(&s->out);
}

void
stage_page(struct stage *s, const char *text)
{
	clear(s);
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			put(s, "\r");
		viewout_put(&s->out, text, 1);
	}
	viewout_flush(&s->out);
}
