/*
 * roster: what `list --json` and `status --json` say, as a session shows it:
 * the menu, and one line's settings and counters.  Pure.
 */
#ifndef SERVER_ROSTER_H
#define SERVER_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

#define ROSTER_JSON_MAX (512 * 1024)

struct roster_entry {
	char name[33];
	char description[128];
	char line[40];
	char writer[33];	/* "": nobody */
	char last[81];		/* the last line of output, safe to show */
	int64_t last_us;	/* UTC microseconds, -1: none */
	bool up;
};

struct roster {
	struct roster_entry *entries;
	size_t n;
};

/* 0, or -1 when this is no such text.  Free with roster_free. */
int roster_parse(struct roster *, const char *json, size_t n);
void roster_free(struct roster *);

/* NULL: no entry of this name, or number from 1 on (as text). */
const struct roster_entry *roster_find(const struct roster *,
    const char *what);

/*
 * One line of the menu, without number and line end: as long as fits into
 * `columns` (0: 80).  The caller frees.
 */
char *roster_text(const struct roster *, size_t i, unsigned columns,
    int64_t now_us);

/*
 * Settings and counters of one console out of `status --json`, lines ended
 * with "\n".  NULL when there is no such console in it.  The caller frees.
 */
char *roster_info(const char *json, size_t n, const char *console);

#endif
