#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bookmarks.h"

/* The file: a line each.  Change the number when a field does. */
#define FORMAT "oobd-bookmarks 1\n"
#define LINE_MAX_BYTES 400

struct bookmarks {
	struct bookmark *list;
	size_t n;
};

struct bookmarks *
bookmarks_new(void)
{
	return xcalloc(1, sizeof(struct bookmarks));
}

void
bookmarks_free(struct bookmarks *b)
{
	if (b == NULL)
		return;
	free(b->list);
	free(b);
}

static struct bookmark *
find(const struct bookmarks *b, const char *user, const char *console)
{
	for (size_t i = 0; i < b->n; i++) {
		if (strcmp(b->list[i].user, user) == 0 &&
		    strcmp(b->list[i].console, console) == 0)
			return &b->list[i];
	}
	return NULL;
}

const struct bookmark *
bookmarks_find(const struct bookmarks *b, const char *user,
    const char *console)
{
	return find(b, user, console);
}

static struct bookmark *
make_room(struct bookmarks *b)
{
	struct bookmark *oldest = b->list;

	if (b->n < BOOKMARKS_MAX) {
		b->list = xreallocarray(b->list, b->n + 1, sizeof(*b->list));
		return &b->list[b->n++];
	}
	for (size_t i = 1; i < b->n; i++) {
		if (b->list[i].utc_us < oldest->utc_us)
			oldest = &b->list[i];
	}
	return oldest;
}

void
bookmarks_set(struct bookmarks *b, const struct bookmark *m)
{
	struct bookmark *old = find(b, m->user, m->console);

	if (old == NULL)
		old = make_room(b);
	else if (old->cut && !old->told &&
	    old->seen.offset <= m->seen.offset)
		return;
	*old = *m;
}

void
bookmarks_told(struct bookmarks *b, const char *user, const char *console)
{
	struct bookmark *m = find(b, user, console);

	if (m != NULL)
		m->told = true;
}

char *
bookmarks_save(const struct bookmarks *b)
{
	size_t size = sizeof(FORMAT) + b->n * LINE_MAX_BYTES, n;
	char *text = xmalloc(size);

	n = (size_t)snprintf(text, size, FORMAT);
	for (size_t i = 0; i < b->n; i++) {
		const struct bookmark *m = &b->list[i];
		const struct tally *t = &m->seen;

		n += (size_t)snprintf(text + n, size - n, "%s %s %" PRId64
		    " %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %"
		    PRIu64 " %" PRIu64 " %" PRIu64 "\n", m->user, m->console,
		    m->utc_us, m->cut, m->told, t->offset, t->lines, t->seq,
		    t->of[0], t->of[1], t->of[2], t->of[3]);
	}
	return text;
}

static void
load_line(struct bookmarks *b, const char *line, size_t n)
{
	char copy[LINE_MAX_BYTES];
	struct bookmark m;
	struct tally *t = &m.seen;
	int cut, told;

	memset(&m, 0, sizeof(m));
	if (n >= sizeof(copy))
		return;
	memcpy(copy, line, n);
	copy[n] = '\0';
	if (sscanf(copy, "%79s %32s %" SCNd64 " %d %d %" SCNu64 " %" SCNu64
	    " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
	    m.user, m.console, &m.utc_us, &cut, &told, &t->offset, &t->lines,
	    &t->seq, &t->of[0], &t->of[1], &t->of[2], &t->of[3]) != 12 ||
	    !stamp_is_sane(m.utc_us))
		return;
	m.cut = cut != 0;
	m.told = told != 0;
	bookmarks_set(b, &m);
}

int
bookmarks_load(struct bookmarks *b, const char *text)
{
	const char *nl;

	if (strncmp(text, FORMAT, sizeof(FORMAT) - 1) != 0)
		return -1;
	text += sizeof(FORMAT) - 1;
	for (; (nl = strchr(text, '\n')) != NULL; text = nl + 1)
		load_line(b, text, (size_t)(nl - text));
	return 0;
}
