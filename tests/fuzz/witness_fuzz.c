/*
 * What the console process remembers of a console and of its users, of any
 * content: its counts hold together, it is saved to what loads to the same,
 * and the digest that somebody is shown of it is safe text.  Input: a
 * chronicle, a line with only a dot, bookmarks.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "server/base/str.h"
#include "server/digest.h"

#define USER "alice"
#define CONSOLE "gw"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_safe(const char *text)
{
	size_t n = strlen(text);
	int len;

	for (size_t i = 0; i < n; i += (size_t)len) {
		len = str_utf8((const uint8_t *)text + i, n - i);
		if (len <= 0 || ((uint8_t)text[i] < 0x20 && text[i] != '\n') ||
		    text[i] == 0x7f || (len == 2 && (uint8_t)text[i] == 0xc2 &&
		    (uint8_t)text[i + 1] < 0xa0))
			abort();
	}
}

/* There were no fewer than there are rows of. */
static void
check_counts(const struct chronicle *c)
{
	struct tally now = chronicle_tally(c, 0, 0), then;
	uint64_t of[CHRONICLE_WHATS] = { 0 }, seq = 0;

	if (chronicle_count(c) > CHRONICLE_ROWS)
		abort();
	for (size_t i = 0; i < chronicle_count(c); i++) {
		const struct chronicle_row *r = chronicle_row_at(c, i);

		if (r->seq <= seq || r->seq > now.seq || r->severity > 2 ||
		    (unsigned)r->what >= CHRONICLE_WHATS)
			abort();
		seq = r->seq;
		of[r->what]++;
		check_safe(r->name);
		check_safe(r->text);
	}
	then = chronicle_tally_before(c, 0, 0, (struct mono){ 0 });
	for (size_t i = 0; i < CHRONICLE_WHATS; i++) {
		if (of[i] > now.of[i] || then.of[i] > now.of[i])
			abort();
	}
	if (then.seq > now.seq)
		abort();
}

static void
check_saved(const struct chronicle *c, uint64_t offset, uint64_t lines)
{
	struct tally looked = { .offset = offset, .lines = lines };
	char *one = chronicle_save(c, &looked), *two;
	struct chronicle *again = chronicle_new();

	if (chronicle_load(again, one, &offset, &lines) == -1 ||
	    offset != looked.offset || lines != looked.lines)
		abort();
	two = chronicle_save(again, &looked);
	if (strcmp(one, two) != 0)
		abort();
	free(one);
	free(two);
	chronicle_free(again);
}

static void
tell(const struct chronicle *c, const struct bookmarks *b, uint64_t offset,
    uint64_t lines)
{
	struct digest d = { .console = CONSOLE, .chronicle = c,
	    .from = bookmarks_find(b, USER, CONSOLE),
	    .now = chronicle_tally(c, offset, lines),
	    .now_utc_us = INT64_C(1795340463000000) };
	char text[DIGEST_TEXT];

	if (d.from == NULL)
		return;
	(void)digest_has_news(&d);
	check_safe(digest_text(text, &d));
	if (strlen(text) == 0 || text[strlen(text) - 1] != '\n')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = xstrndup((const char *)p, n), *rest;
	struct chronicle *c = chronicle_new();
	struct bookmarks *b = bookmarks_new();
	struct chronicle_row row = { .what = CHRONICLE_LOST, .name = "line" };
	uint64_t offset = 0, lines = 0;

	rest = strstr(text, "\n.\n");
	if (rest != NULL) {
		rest[1] = '\0';
		bookmarks_load(b, rest + 3);
	}
	if (chronicle_load(c, text, &offset, &lines) == 0)
		check_saved(c, offset, lines);
	else if (chronicle_count(c) > 0)
		abort();
	check_counts(c);
	tell(c, b, offset, lines);
	row.when = stamp_now();
	chronicle_add(c, &row);
	check_counts(c);
	tell(c, b, offset + 100, lines + 1);
	chronicle_free(c);
	bookmarks_free(b);
	free(text);
	return 0;
}
