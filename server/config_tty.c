#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config_internal.h"

/* A line that somebody uses. */
struct user_of_tty {
	const char *what, *title;	/* title NULL: the modem's */
	char *const *device;
	int file_line;
	char *real;			/* without links, or NULL */
};

static void
complain_of(struct build *b, const struct user_of_tty *t,
    const struct user_of_tty *first, const char *how)
{
	char show[SHOW_TEXT];

	if (t->title == NULL)
		build_error(b, build_line(b, t->device, 0), "%s has the same "
		    "device as the %s on line %d%s: a line can be one of them "
		    "only", t->what, first->what, first->file_line, how);
	else
		build_error(b, build_line(b, t->device, 0), "%s \"%s\" has "
		    "the same device as the one on line %d%s: a line can be "
		    "one console only", t->what, build_show(show, t->title),
		    first->file_line, how);
}

static void
compare(struct build *b, const struct user_of_tty *t,
    const struct user_of_tty *first)
{
	if (*t->device == NULL || *first->device == NULL)
		return;
	if (strcmp(*t->device, *first->device) == 0)
		complain_of(b, t, first, "");
	else if (t->real != NULL && first->real != NULL &&
	    strcmp(t->real, first->real) == 0)
		complain_of(b, t, first, ", under another name");
}

void
config_check_ttys(struct build *b, bool system)
{
	const struct config *c = b->conf;
	struct user_of_tty *list = xcalloc(c->nconsoles + 2, sizeof(*list));
	size_t n = 0;

	for (; n < c->nconsoles; n++) {
		const struct config_console *one = &c->consoles[n];

		list[n] = (struct user_of_tty){ "console", one->name,
		    &one->device, one->file_line, NULL };
	}
	if (c->modem != NULL) {
		list[n++] = (struct user_of_tty){ "modem data", NULL,
		    &c->modem->data, c->modem->file_line, NULL };
		list[n++] = (struct user_of_tty){ "modem control", NULL,
		    &c->modem->control, c->modem->file_line, NULL };
	}
	for (size_t i = 0; i < n; i++) {
		const char *device = *list[i].device;

		if (system && device != NULL && device[0] == '/')
			list[i].real = realpath(device, NULL);
		for (size_t j = 0; j < i; j++)
			compare(b, &list[i], &list[j]);
	}
	for (size_t i = 0; i < n; i++)
		free(list[i].real);
	free(list);
}
