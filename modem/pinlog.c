#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/fileio.h"
#include "../server/base/os.h"
#include "pinlog.h"

#define FILE_MAX_BYTES 4096
#define SIM_MAX 40
#define LINE_BYTES (SIM_MAX + 40)

static const char head[] = "oobd-pin 1";

struct entry {
	char sim[SIM_MAX + 1];
	uint64_t salt, sum;
};

struct entries {
	struct entry e[PINLOG_MAX];
	size_t n;
};

/* FNV-1a: see the header for what it is and is not for. */
static uint64_t
sum_of(uint64_t salt, const char *pin)
{
	uint64_t h = 14695981039346656037u ^ salt;

	for (; *pin != '\0'; pin++)
		h = (h ^ (uint8_t)*pin) * 1099511628211u;
	return h;
}

/* 0; -1 when the file is there but not to be understood. */
static int
load(const char *path, struct entries *all)
{
	char *text, *line, *rest;
	struct entry e;
	int end;

	all->n = 0;
	text = file_read(path, FILE_MAX_BYTES, NULL);
	if (text == NULL)
		return errno == ENOENT ? 0 : -1;
	rest = text;
	line = strsep(&rest, "\n");
	if (strcmp(line, head) != 0)
		goto bad;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		end = 0;
		if (all->n == PINLOG_MAX || sscanf(line, "%40s %16" SCNx64
		    " %16" SCNx64 "%n", e.sim, &e.salt, &e.sum, &end) != 3 ||
		    line[end] != '\0')
			goto bad;
		all->e[all->n++] = e;
	}
	free(text);
	return 0;
bad:
	free(text);
	errno = EINVAL;
	return -1;
}

static int
save(const char *path, const struct entries *all)
{
	char text[sizeof(head) + 1 + PINLOG_MAX * LINE_BYTES];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "%s\n", head);
	for (size_t i = 0; i < all->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s %016" PRIx64 " %016" PRIx64 "\n", all->e[i].sim,
		    all->e[i].salt, all->e[i].sum);
	return file_replace(path, text, n, 0600);
}

static void
strike(struct entries *all, size_t i)
{
	memmove(&all->e[i], &all->e[i + 1],
	    (--all->n - i) * sizeof(all->e[0]));
}

static bool
is_sim(const char *sim)
{
	size_t n = strlen(sim);

	return n > 0 && n <= SIM_MAX && strcspn(sim, " \t\r\n\v\f") == n;
}

/* Is it of this SIM?  NULL: of any. */
static bool
is_of(const struct entry *e, const char *sim)
{
	return sim == NULL || strcmp(e->sim, sim) == 0;
}

enum pinlog_answer
pinlog_look(const char *path, const char *sim, const char *pin)
{
	struct entries all;

	if (load(path, &all) == -1 || (sim != NULL && !is_sim(sim)))
		return PINLOG_BROKEN;
	for (size_t i = 0; i < all.n; i++)
		if (is_of(&all.e[i], sim) &&
		    all.e[i].sum == sum_of(all.e[i].salt, pin))
			return PINLOG_TRIED;
	return PINLOG_FRESH;
}

int
pinlog_begin(const char *path, const char *sim, const char *pin)
{
	struct entries all;
	struct entry *e;

	if (!is_sim(sim)) {
		errno = EINVAL;
		return -1;
	}
	if (load(path, &all) == -1)
		return -1;
	if (all.n == PINLOG_MAX)
		strike(&all, 0);
	e = &all.e[all.n++];
	memset(e, 0, sizeof(*e));
	memcpy(e->sim, sim, strlen(sim) + 1);
	os_random(&e->salt, sizeof(e->salt));
	e->sum = sum_of(e->salt, pin);
	return save(path, &all);
}

int
pinlog_clear(const char *path, const char *sim)
{
	struct entries all;
	bool any = false;

	if (load(path, &all) == -1)
		return -1;
	for (size_t i = all.n; i > 0; i--) {
		if (!is_of(&all.e[i - 1], sim))
			continue;
		strike(&all, i - 1);
		any = true;
	}
	return any ? save(path, &all) : 0;
}
