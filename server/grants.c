#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "grants.h"

/* The file: a line each.  Change the number when a field does. */
#define FORMAT "oobd-grants 1\n"
#define LINE_BYTES 320

struct grants {
	struct grant list[GRANTS_MAX];
	size_t n;
};

struct grants *
grants_new(void)
{
	return xcalloc(1, sizeof(struct grants));
}

void
grants_free(struct grants *g)
{
	free(g);
}

struct grant *
grants_find(const struct grants *g, const char *user, const char *console)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct grant *x = &g->list[i];

		if (strcmp(x->user, user) == 0 &&
		    strcmp(x->console, console) == 0)
			return (struct grant *)(uintptr_t)x;
	}
	return NULL;
}

int
grants_add(struct grants *g, const struct grant *what, int64_t ms,
    struct stamp now)
{
	struct grant *x = grants_find(g, what->user, what->console);

	if (x == NULL && g->n == GRANTS_MAX)
		return -1;
	if (x == NULL)
		x = &g->list[g->n++];
	*x = *what;
	x->until = mono_after(now.mono, ms);
	x->utc_us = now.utc_us + ms * 1000;
	x->rebooted = x->warned = false;
	return 0;
}

void
grants_remove(struct grants *g, struct grant *x)
{
	size_t i = (size_t)(x - g->list);

	memmove(x, x + 1, (--g->n - i) * sizeof(*x));
}

size_t
grants_count(const struct grants *g)
{
	return g->n;
}

struct grant *
grants_at(const struct grants *g, size_t i)
{
	return (struct grant *)(uintptr_t)&g->list[i];
}

int64_t
grants_left_ms(const struct grant *x, struct stamp now)
{
	int64_t ms = mono_ms(now.mono, x->until);
	int64_t wall = (x->utc_us - now.utc_us) / 1000;

	return x->rebooted && wall < ms ? wall : ms;
}

int64_t
grants_next_ms(const struct grants *g, struct stamp now)
{
	int64_t least = -1, ms;

	for (size_t i = 0; i < g->n; i++) {
		ms = grants_left_ms(&g->list[i], now);
		if (ms < 0)
			ms = 0;
		if (least == -1 || ms < least)
			least = ms;
	}
	return least;
}

char *
grants_save(const struct grants *g, const char *boot, struct stamp now)
{
	size_t size = sizeof(FORMAT) + LINE_BYTES * (g->n + 1), n;
	char *text = xmalloc(size);

	n = (size_t)snprintf(text, size, FORMAT "boot %.100s\n", boot);
	for (size_t i = 0; i < g->n; i++) {
		const struct grant *x = &g->list[i];
		int64_t left = grants_left_ms(x, now);

		/* The wall clock may have been put right meanwhile. */
		n += (size_t)snprintf(text + n, size - n, "grant %s %s %s %"
		    PRId64 " %" PRId64 " %" PRId64 " %d %s\n", x->user,
		    x->console, role_text(x->role), x->until.us,
		    x->rebooted ? x->utc_us : now.utc_us + left * 1000,
		    left, x->rebooted, x->by);
	}
	return text;
}

/* What a line says, as it was saved; ms: what was left.  False: damaged. */
static bool
parse(const char *line, size_t n, struct grant *x, int64_t *ms)
{
	char copy[LINE_BYTES], role[16];
	int rebooted, end = 0;

	memset(x, 0, sizeof(*x));
	if (n >= sizeof(copy))
		return false;
	memcpy(copy, line, n);
	copy[n] = '\0';
	if (sscanf(copy, "grant %32s %32s %15s %" SCNd64 " %" SCNd64 " %"
	    SCNd64 " %d %79s%n", x->user, x->console, role, &x->until.us,
	    &x->utc_us, ms, &rebooted, x->by, &end) != 8 ||
	    copy[end] != '\0')
		return false;
	x->rebooted = rebooted != 0;
	x->role = strcmp(role, role_text(ROLE_OPERATOR)) == 0 ?
	    ROLE_OPERATOR : ROLE_VIEWER;
	return strcmp(role, role_text(x->role)) == 0 &&
	    str_is_name(x->user) && str_is_name(x->console) &&
	    *ms <= GRANTS_MOST_MS && x->utc_us > INT64_MIN / 2 &&
	    x->utc_us < INT64_MAX / 2;
}

static bool
load_line(struct grants *g, const char *line, size_t n, bool same_boot,
    struct stamp now)
{
	struct grant x;
	int64_t ms;

	if (!parse(line, n, &x, &ms) || g->n == GRANTS_MAX ||
	    grants_find(g, x.user, x.console) != NULL)
		return false;
	if (same_boot) {
		/* No clock of this boot can have more to go than was given. */
		if (mono_ms(now.mono, x.until) > GRANTS_MOST_MS)
			return false;
	} else {
		x.until = mono_after(now.mono, ms > GRANTS_REBOOT_MS ?
		    ms - GRANTS_REBOOT_MS : 0);
		x.rebooted = true;
	}
	g->list[g->n++] = x;
	return true;
}

int
grants_load(struct grants *g, const char *text, const char *boot,
    struct stamp now)
{
	char was[128];
	const char *nl;
	bool same_boot;
	int bad = 0;

	if (strncmp(text, FORMAT, sizeof(FORMAT) - 1) != 0 ||
	    sscanf(text + sizeof(FORMAT) - 1, "boot %127s", was) != 1)
		return -1;
	same_boot = strcmp(was, boot) == 0;
	text = strchr(text + sizeof(FORMAT) - 1, '\n');
	if (text == NULL)
		return -1;
	for (text++; (nl = strchr(text, '\n')) != NULL; text = nl + 1)
		bad += !load_line(g, text, (size_t)(nl - text), same_boot,
		    now);
	return *text == '\0' ? bad : bad + 1;
}
