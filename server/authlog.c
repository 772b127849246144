#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authlog.h"
#include "base/mem.h"

/* One kind of event: the newest of it, and how many are not yet written. */
struct row {
	char key[AUTHLOG_KEY];		/* "": free */
	char text[AUTHLOG_TEXT];
	uint64_t count;
	struct mono at;			/* last written, or counted first */
};

struct book {
	const char *rest;		/* text for more kinds than rows */
	unsigned burst;
	int64_t every_ms;
	bool settles;			/* the same again is only counted */
	unsigned tokens;
	struct mono filled;		/* tokens are counted up to there */
	struct row rows[AUTHLOG_ROWS];
	uint64_t others;
};

struct authlog {
	authlog_fn *write;
	void *arg;
	struct book admit, refuse;
};

struct authlog *
authlog_new(authlog_fn *write, void *arg, struct mono now)
{
	struct authlog *l = xcalloc(1, sizeof(*l));

	l->write = write;
	l->arg = arg;
	l->admit.rest = "login user=?";
	l->admit.burst = l->admit.tokens = AUTHLOG_ADMIT_BURST;
	l->admit.every_ms = AUTHLOG_ADMIT_MS;
	l->refuse.rest = "refused user=? why=\"many, from many places\"";
	l->refuse.burst = l->refuse.tokens = AUTHLOG_REFUSE_BURST;
	l->refuse.every_ms = AUTHLOG_REFUSE_MS;
	l->refuse.settles = true;
	l->admit.filled = l->refuse.filled = now;
	return l;
}

void
authlog_free(struct authlog *l)
{
	free(l);
}

static bool
take_token(struct book *b, struct mono now)
{
	int64_t n = mono_ms(b->filled, now) / b->every_ms;

	if (n > 0) {
		b->tokens = n >= b->burst - b->tokens ? b->burst :
		    b->tokens + (unsigned)n;
		b->filled = mono_after(b->filled, n * b->every_ms);
	}
	if (b->tokens == 0)
		return false;
	b->tokens--;
	return true;
}

static struct row *
find_row(struct book *b, const char *key)
{
	for (size_t i = 0; i < AUTHLOG_ROWS; i++) {
		if (strncmp(b->rows[i].key, key, AUTHLOG_KEY - 1) == 0 &&
		    b->rows[i].key[0] != '\0')
			return &b->rows[i];
	}
	return NULL;
}

/* A free one, or the one that has had nothing to say for longest; NULL. */
static struct row *
new_row(struct book *b)
{
	struct row *oldest = NULL;

	for (size_t i = 0; i < AUTHLOG_ROWS; i++) {
		struct row *r = &b->rows[i];

		if (r->key[0] == '\0')
			return r;
		if (r->count == 0 && (oldest == NULL ||
		    r->at.us < oldest->at.us))
			oldest = r;
	}
	return oldest;
}

static void
fill_row(struct row *r, const char *key, const char *text, uint64_t count,
    struct mono now)
{
	snprintf(r->key, sizeof(r->key), "%s", key);
	snprintf(r->text, sizeof(r->text), "%s", text);
	r->count = count;
	r->at = now;
}

/* Something was counted, and waits. */
static bool
waits(const struct book *b)
{
	for (size_t i = 0; i < AUTHLOG_ROWS; i++) {
		if (b->rows[i].count > 0)
			return true;
	}
	return b->others > 0;
}

static void
add(struct authlog *l, struct book *b, const char *key, const char *text,
    struct mono now)
{
	struct row *r = find_row(b, key);

	if (r != NULL && (r->count > 0 || b->settles)) {
		snprintf(r->text, sizeof(r->text), "%s", text);
		r->count++;
		return;
	}
	if (r == NULL)
		r = new_row(b);
	/* What waits is written first: it would never be its turn. */
	if ((b->settles || !waits(b)) && take_token(b, now)) {
		l->write(l->arg, text);
		if (b->settles && r != NULL)
			fill_row(r, key, text, 0, now);
	} else if (r != NULL) {
		fill_row(r, key, text, 1, now);
	} else {
		b->others++;
	}
}

void
authlog_admit(struct authlog *l, const char *key, const char *text,
    struct mono now)
{
	add(l, &l->admit, key, text, now);
}

void
authlog_refuse(struct authlog *l, const char *key, const char *text,
    struct mono now)
{
	add(l, &l->refuse, key, text, now);
}

static void
write_counted(struct authlog *l, const char *text, uint64_t count)
{
	char line[AUTHLOG_TEXT + 48];

	snprintf(line, sizeof(line), "%s count=%" PRIu64, text, count);
	l->write(l->arg, count > 1 ? line : text);
}

static void
flush_row(struct authlog *l, struct book *b, struct row *r, struct mono now,
    bool last)
{
	if (r->key[0] == '\0')
		return;
	if (r->count > 0 && (last || take_token(b, now))) {
		write_counted(l, r->text, r->count);
		r->count = 0;
		r->at = now;
	} else if (r->count == 0 && mono_ms(r->at, now) >= AUTHLOG_SAME_MS) {
		r->key[0] = '\0';
	}
}

static void
flush(struct authlog *l, struct book *b, struct mono now, bool last)
{
	if (b->others > 0 && (last || take_token(b, now))) {
		write_counted(l, b->rest, b->others);
		b->others = 0;
	}
	for (size_t i = 0; i < AUTHLOG_ROWS; i++)
		flush_row(l, b, &b->rows[i], now, last);
}

void
authlog_flush(struct authlog *l, struct mono now, bool last)
{
	flush(l, &l->admit, now, last);
	flush(l, &l->refuse, now, last);
}
