#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "session_internal.h"

/*
 * The menu: which console?  Asked at the start when there is more than one,
 * and by the escape key.
 */
void
session_menu_start(struct session *s)
{
	char *list[] = { "list", "--json", NULL };

	session_ask(s, ASKED_LIST, 2, list);
	session_change(s, SESSION_CHOOSING);
}

static void
say(struct session *s, const char *text)
{
	session_say(s, 1, text, strlen(text));
}

static void
prompt(struct session *s)
{
	editor_start(&s->editor);
	say(s, feed_attached(s->fs) != NULL ?
	    "console (number or name, Esc to go back): " :
	    "console (number or name, q to quit): ");
}

static void
show(struct session *s)
{
	char number[32], *text;

	say(s, "\r\n");
	for (size_t i = 0; i < s->roster.n; i++) {
		snprintf(number, sizeof(number), "%4zu  ", i + 1);
		text = roster_text(&s->roster, i, s->columns,
		    stamp_now().utc_us);
		say(s, number);
		say(s, text);
		say(s, "\r\n");
		free(text);
	}
	prompt(s);
	session_change(s, SESSION_MENU);
}

static void
names_of(const struct roster *r, char *dst, size_t size)
{
	size_t o = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < r->n && o < size; i++)
		o += (size_t)snprintf(dst + o, size - o, "%s%s",
		    i > 0 ? ", " : "", r->entries[i].name);
}

void
session_menu_listed(struct session *s, int status)
{
	char names[512], text[600];
	int parsed = -1;

	roster_free(&s->roster);
	if (status == ST_OK && s->collected != NULL)
		parsed = roster_parse(&s->roster,
		    (const char *)buf_data(s->collected),
		    buf_len(s->collected));
	buf_free(s->collected);
	s->collected = NULL;
	if (parsed == -1) {
		session_end(s, ST_FAILED, "the list of consoles cannot be had "
		    "now; try again");
	} else if (s->roster.n == 0) {
		session_end(s, ST_NO_CONSOLE, "there is no console that you "
		    "may see");
	} else if (s->roster.n == 1 && feed_attached(s->fs) == NULL) {
		/* Copied: when it is refused there is nothing to choose. */
		names_of(&s->roster, names, sizeof(names));
		roster_free(&s->roster);
		session_line_attach(s, names);
	} else if (!s->terminal) {
		names_of(&s->roster, names, sizeof(names));
		snprintf(text, sizeof(text), "which console?  Name one of %s",
		    names);
		session_end(s, ST_USAGE, text);
	} else {
		show(s);
	}
}

static void
back(struct session *s)
{
	say(s, "\r\n");
	if (feed_attached(s->fs) == NULL)
		session_end(s, ST_OK, NULL);
	else
		session_line_live(s);
}

static void
chosen(struct session *s, const char *what)
{
	const struct roster_entry *e = roster_find(&s->roster, what);
	const struct feed_console *now = feed_attached(s->fs);

	if (*what == '\0') {
		session_menu_start(s);		/* anew, as it is now */
	} else if (e != NULL && now != NULL &&
	    strcmp(now->name, e->name) == 0) {
		back(s);
	} else if (e != NULL) {
		say(s, "\r\n");
		session_give_up(s);
		buf_clear(s->typed);
		if (s->mode == ATTACH_FORCE)
			s->mode = ATTACH_AUTO;	/* was meant for the first */
		session_line_attach(s, e->name);
	} else if (strcmp(what, "q") == 0) {
		back(s);
	} else {
		say(s, "\r\nno such console\r\n");
		prompt(s);
	}
}

static void
echo(void *arg, const char *p, size_t n)
{
	session_say(arg, 1, p, n);
}

size_t
session_menu_input(struct session *s, const uint8_t *p, size_t n)
{
	size_t used;

	switch (editor_type(&s->editor, p, n, &used, echo, s)) {
	case EDITOR_MORE:
		break;
	case EDITOR_DONE:
		chosen(s, s->editor.text);
		break;
	case EDITOR_CANCEL:
		back(s);
		break;
	}
	return used;
}

/*
 * A note
 */
void
session_note_start(struct session *s)
{
	editor_start(&s->editor);
	session_change(s, SESSION_NOTE);
	say(s, "\r\nnote (Enter writes it, Esc cancels): ");
}

size_t
session_note_input(struct session *s, const uint8_t *p, size_t n)
{
	enum editor_does does;
	size_t used;

	does = editor_type(&s->editor, p, n, &used, echo, s);
	if (does == EDITOR_MORE)
		return used;
	say(s, "\r\n");
	session_line_live(s);
	if (does == EDITOR_CANCEL || s->editor.n == 0)
		session_notice(s, "no note written");
	else if (!feed_is_up(s->feed))
		session_notice(s, "the console process is away: no note "
		    "written");
	else
		feed_note(s->fs, s->editor.text);
	return used;
}
