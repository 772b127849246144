#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/fileio.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "crash_head.h"
#include "crash_view.h"
#include "strip.h"

#define FILE_MAX (2 * CRASH_AFTER)
#define LINE_BYTES 4096		/* a longer line is shown in pieces */
#define LAST (-1)

struct wanted {
	int64_t id;
	bool raw;
};

static int
set_id(void *conf, const char *value)
{
	struct wanted *w = conf;

	if (strcmp(value, "last") == 0) {
		w->id = LAST;
		return 0;
	}
	return str_int(value, 1, 99999999, &w->id);
}

static int
set_raw(void *conf, const char *value)
{
	struct wanted *w = conf;

	(void)value;
	w->raw = true;
	return 0;
}

static const struct view_option options[] = {
	{ "--crash", false, set_id, "the number of a crash bundle, or last" },
	{ "--raw", true, set_raw, "" },
	{ NULL, false, NULL, NULL },
};

bool
crash_view_is_meant(int argc, char *const argv[])
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--crash") == 0)
			return true;
	}
	return false;
}

/* Path of the one that is wanted; NULL: there is none such. */
static char *
find(const struct view *v, const char *console, int64_t id)
{
	size_t n;
	struct crash_info *all = crash_list(v->log_dir, console, &n);
	char *folder, *path = NULL;

	for (size_t i = 0; i < n; i++) {
		if (id == LAST ? i + 1 < n : (int64_t)all[i].id != id)
			continue;
		folder = crash_folder(v->log_dir, console);
		path = xasprintf("%s/%s", folder, all[i].file);
		free(folder);
		break;
	}
	free(all);
	return path;
}

/* A line, or a piece of one, without what a terminal would obey. */
static int
show_line(const struct view *v, const char *line, size_t n)
{
	char text[STRIP_ROOM(LINE_BYTES) + 1];
	size_t len;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	len = strip_line(line, n, text, sizeof(text) - 1);
	text[len++] = '\n';
	return v->ops->write(v->arg, 1, text, len);
}

static void
show_safely(const struct view *v, const char *text, size_t n)
{
	const char *nl;
	size_t part;

	while (n > 0) {
		part = n < LINE_BYTES ? n : LINE_BYTES;
		nl = memchr(text, '\n', part);
		if (nl != NULL)
			part = (size_t)(nl - text);
		if (show_line(v, text, part) == -1)
			return;
		part += nl != NULL ? 1 : 0;
		text += part;
		n -= part;
	}
}

enum view_status
crash_view_run(const struct view *v, int argc, char *const argv[])
{
	struct wanted w = { .id = 0 };
	enum view_status status = view_options(v, argc, argv, 2, options, &w);
	char *path, *text;
	size_t n;

	if (status != VIEW_OK)
		return status;
	if (w.id == 0) {
		view_say(v, "export: which crash bundle?  --crash ID, as "
		    "status shows them");
		return VIEW_USAGE;
	}
	path = find(v, argv[1], w.id);
	if (path == NULL) {
		view_say(v, "there is no such crash bundle; status shows "
		    "those there are");
		return VIEW_FAILED;
	}
	text = file_read(path, FILE_MAX, &n);
	if (text == NULL)
		view_say(v, "%s: %s", path, strerror(errno));
	else if (w.raw)
		(void)v->ops->write(v->arg, 1, text, n);
	else
		show_safely(v, text, n);
	status = text == NULL ? VIEW_FAILED : VIEW_OK;
	free(text);
	free(path);
	return status;
}
