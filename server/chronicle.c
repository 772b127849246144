#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "chronicle.h"

/*
 * The file: a line each.  Change the number when a field does; a file with
 * another one is begun anew.
 */
#define FORMAT "oobd-chronicle 1"

struct chronicle {
	struct chronicle_row *rows;
	size_t n;
	uint64_t seq;
	uint64_t of[CHRONICLE_WHATS];
};

static const char *const names[] = {
	[CHRONICLE_ATTACH] = "attach",
	[CHRONICLE_ALERT] = "alert",
	[CHRONICLE_REBOOT] = "reboot",
	[CHRONICLE_LOST] = "lost",
};

const char *
chronicle_what_text(enum chronicle_what what)
{
	return names[what];
}

struct chronicle *
chronicle_new(void)
{
	return xcalloc(1, sizeof(struct chronicle));
}

void
chronicle_free(struct chronicle *c)
{
	if (c == NULL)
		return;
	free(c->rows);
	free(c);
}

static void
append(struct chronicle *c, const struct chronicle_row *row)
{
	if (c->n == CHRONICLE_ROWS) {
		memmove(c->rows, c->rows + 1, (c->n - 1) * sizeof(*c->rows));
		c->n--;
	} else {
		c->rows = xreallocarray(c->rows, c->n + 1, sizeof(*c->rows));
	}
	c->rows[c->n++] = *row;
}

void
chronicle_add(struct chronicle *c, const struct chronicle_row *row)
{
	struct chronicle_row copy = *row;

	copy.seq = ++c->seq;
	c->of[row->what]++;
	append(c, &copy);
}

size_t
chronicle_count(const struct chronicle *c)
{
	return c->n;
}

const struct chronicle_row *
chronicle_row_at(const struct chronicle *c, size_t i)
{
	return &c->rows[i];
}

struct tally
chronicle_tally(const struct chronicle *c, uint64_t offset, uint64_t lines)
{
	struct tally t = { .offset = offset, .lines = lines, .seq = c->seq };

	memcpy(t.of, c->of, sizeof(t.of));
	return t;
}

struct tally
chronicle_tally_before(const struct chronicle *c, uint64_t offset,
    uint64_t lines, struct mono since)
{
	struct tally t = chronicle_tally(c, offset, lines);

	for (size_t i = c->n; i > 0 && c->rows[i - 1].when.mono.us >=
	    since.us; i--) {
		t.seq--;
		t.of[c->rows[i - 1].what]--;
	}
	return t;
}

char *
chronicle_save(const struct chronicle *c, const struct tally *looked)
{
	size_t size = 256 + c->n * 320, n;
	char *text = xmalloc(size);

	n = (size_t)snprintf(text, size, FORMAT "\nlooked %" PRIu64 " %" PRIu64
	    "\ncount %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
	    "\n", looked->offset, looked->lines, c->seq, c->of[0], c->of[1],
	    c->of[2], c->of[3]);
	for (size_t i = 0; i < c->n; i++) {
		const struct chronicle_row *r = &c->rows[i];

		n += (size_t)snprintf(text + n, size - n, "row %" PRIu64 " %"
		    PRId64 " %u %u %s %s\n", r->seq, r->when.utc_us,
		    (unsigned)r->what, r->severity, r->name, r->text);
	}
	return text;
}

/* As str_safe writes it: nothing that a terminal would obey. */
static bool
is_plain(const char *s)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t n = strlen(s);
	int len;

	for (; n > 0; p += len, n -= (size_t)len) {
		len = str_utf8(p, n);
		if (len <= 0 || *p < 0x20 || *p == 0x7f ||
		    (len == 2 && p[0] == 0xc2 && p[1] < 0xa0))
			return false;
	}
	return true;
}

/* A row that is none is left out. */
static void
load_row(struct chronicle *c, const char *line, size_t n)
{
	struct chronicle_row r = { .seq = 0 };
	uint64_t before = c->n == 0 ? 0 : c->rows[c->n - 1].seq;
	char copy[400];
	unsigned what;
	int at = 0;

	if (n >= sizeof(copy))
		return;
	memcpy(copy, line, n);
	copy[n] = '\0';
	if (sscanf(copy, "row %" SCNu64 " %" SCNd64 " %u %u %32s %n", &r.seq,
	    &r.when.utc_us, &what, &r.severity, r.name, &at) < 5 ||
	    what >= CHRONICLE_WHATS || r.severity > CHRONICLE_SEVEREST ||
	    r.seq <= before || r.seq > c->seq || at == 0 ||
	    !stamp_is_sane(r.when.utc_us))
		return;
	r.what = (enum chronicle_what)what;
	snprintf(r.text, sizeof(r.text), "%s", copy + at);
	if (is_plain(r.name) && is_plain(r.text))
		append(c, &r);
}

/* There were as many as there are rows of, and no more than can be. */
static bool
is_sound(const struct chronicle *c, uint64_t offset, uint64_t lines)
{
	uint64_t rows[CHRONICLE_WHATS] = { 0 };

	if (offset > INT64_MAX || lines > INT64_MAX || c->seq > INT64_MAX)
		return false;
	for (size_t i = 0; i < c->n; i++)
		rows[c->rows[i].what]++;
	for (size_t i = 0; i < CHRONICLE_WHATS; i++) {
		if (c->of[i] > INT64_MAX || c->of[i] < rows[i])
			return false;
	}
	return true;
}

int
chronicle_load(struct chronicle *c, const char *text, uint64_t *offset,
    uint64_t *lines)
{
	const struct chronicle none = { .n = 0 };
	uint64_t at, before;
	const char *nl;

	if (sscanf(text, FORMAT "\nlooked %" SCNu64 " %" SCNu64 "\ncount %"
	    SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &at,
	    &before, &c->seq, &c->of[0], &c->of[1], &c->of[2],
	    &c->of[3]) == 7) {
		for (; (nl = strchr(text, '\n')) != NULL; text = nl + 1) {
			if (strncmp(text, "row ", 4) == 0)
				load_row(c, text, (size_t)(nl - text));
		}
		if (is_sound(c, at, before)) {
			*offset = at;
			*lines = before;
			return 0;
		}
	}
	free(c->rows);
	*c = none;
	return -1;
}
