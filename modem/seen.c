#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "pdu.h"
#include "seen.h"

#define HEAD "oobd-sms-seen 1\n"
#define LINE (2 * SEEN_KEY + 1)
#define FILE_MAX (sizeof(HEAD) - 1 + SEEN_MAX * LINE)

struct seen {
	char *path;
	size_t n;
	bool changed;
	uint8_t keys[SEEN_MAX][SEEN_KEY];	/* the oldest first */
};

static void
append(struct seen *s, const uint8_t *key)
{
	if (s->n == SEEN_MAX) {
		s->n--;
		memmove(s->keys[0], s->keys[1], s->n * SEEN_KEY);
	}
	memcpy(s->keys[s->n++], key, SEEN_KEY);
}

/* Lines of text behind the head; false when one is broken. */
static bool
read_lines(struct seen *s, const char *p, size_t n)
{
	uint8_t key[SEEN_KEY];
	const char *why;

	for (; n >= LINE; p += LINE, n -= LINE) {
		if (p[LINE - 1] != '\n' || pdu_from_hex(key, sizeof(key), p,
		    LINE - 1, &why) != SEEN_KEY)
			return false;
		append(s, key);
	}
	return n == 0;
}

static void
load(struct seen *s)
{
	size_t n, head = sizeof(HEAD) - 1;
	char *text = file_read(s->path, FILE_MAX, &n);

	if (text == NULL) {
		if (errno != ENOENT)
			log_errno("%s: cannot tell which messages were dealt "
			    "with before", s->path);
		return;
	}
	if (n < head || memcmp(text, HEAD, head) != 0 ||
	    !read_lines(s, text + head, n - head))
		log_warn("%s: damaged; %zu messages are known from it",
		    s->path, s->n);
	free(text);
}

struct seen *
seen_open(const char *path)
{
	struct seen *s = xcalloc(1, sizeof(*s));

	if (path == NULL)
		return s;
	s->path = xstrdup(path);
	load(s);
	return s;
}

void
seen_free(struct seen *s)
{
	if (s == NULL)
		return;
	free(s->path);
	free(s);
}

bool
seen_meet(struct seen *s, const uint8_t key[SEEN_KEY])
{
	for (size_t i = s->n; i-- > 0;) {
		if (memcmp(s->keys[i], key, SEEN_KEY) != 0)
			continue;
		s->n--;
		memmove(s->keys[i], s->keys[i + 1], (s->n - i) * SEEN_KEY);
		append(s, key);
		return true;
	}
	append(s, key);
	s->changed = true;
	return false;
}

int
seen_save(struct seen *s)
{
	char *text, *p;
	int r;

	if (!s->changed || s->path == NULL)
		return 0;
	text = p = xmalloc(FILE_MAX + 1);
	memcpy(p, HEAD, sizeof(HEAD) - 1);
	p += sizeof(HEAD) - 1;
	for (size_t i = 0; i < s->n; i++, p += LINE) {
		pdu_to_hex(p, s->keys[i], SEEN_KEY);
		p[LINE - 1] = '\n';
	}
	r = file_replace(s->path, text, (size_t)(p - text), 0600);
	if (r == 0)
		s->changed = false;
	free(text);
	return r;
}

size_t
seen_count(const struct seen *s)
{
	return s->n;
}
