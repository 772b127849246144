#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "missed.h"

struct entry {
	char user[33];
	char console[33];
	uint64_t at;
	struct stamp when;
	bool used;
};

struct missed {
	struct entry entries[MISSED_MAX];
};

struct missed *
missed_new(void)
{
	return xcalloc(1, sizeof(struct missed));
}

void
missed_free(struct missed *m)
{
	free(m);
}

static bool
is_stale(const struct entry *e, struct mono now)
{
	return !e->used || mono_ms(e->when.mono, now) > MISSED_MS;
}

static struct entry *
find(struct missed *m, const char *user, const char *console,
    struct mono now)
{
	for (size_t i = 0; i < MISSED_MAX; i++) {
		struct entry *e = &m->entries[i];

		if (!is_stale(e, now) && strcmp(e->user, user) == 0 &&
		    strcmp(e->console, console) == 0)
			return e;
	}
	return NULL;
}

/* One that is free, or the oldest. */
static struct entry *
make_room(struct missed *m, struct mono now)
{
	struct entry *oldest = &m->entries[0];

	for (size_t i = 0; i < MISSED_MAX; i++) {
		struct entry *e = &m->entries[i];

		if (is_stale(e, now))
			return e;
		if (e->when.mono.us < oldest->when.mono.us)
			oldest = e;
	}
	return oldest;
}

void
missed_note(struct missed *m, const char *user, const char *console,
    uint64_t at, struct stamp now)
{
	struct entry *e = find(m, user, console, now.mono);

	if (e != NULL && e->at <= at)
		return;
	if (e == NULL)
		e = make_room(m, now.mono);
	snprintf(e->user, sizeof(e->user), "%s", user);
	snprintf(e->console, sizeof(e->console), "%s", console);
	e->at = at;
	e->when = now;
	e->used = true;
}

bool
missed_take(struct missed *m, const char *user, const char *console,
    struct mono now, uint64_t *at, int64_t *utc_us)
{
	struct entry *e = find(m, user, console, now);

	if (e == NULL)
		return false;
	*at = e->at;
	*utc_us = e->when.utc_us;
	e->used = false;
	return true;
}
