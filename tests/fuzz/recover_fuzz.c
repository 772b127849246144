/*
 * A journal that ends in any way: whoever goes on with it finds its place,
 * touches no old segment, and what he writes is there and is whole.  The first
 * byte says whether the newest segment is the only one.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serial/journal.h"
#include "serial/jread.h"
#include "server/base/log.h"
#include "tests/world.h"

#define FIRST "00000001-20261122T020000Z.log"
#define SECOND "00000002-20261122T030000Z.log"
#define NEXT "what the next one writes"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char folder[80];

static const char *
path_of(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put(const char *name, const uint8_t *p, size_t n)
{
	FILE *f = fopen(path_of(name), "w");

	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		abort();
}

/* The file still begins with it. */
static void
check_untouched(const char *name, const uint8_t *p, size_t n)
{
	FILE *f = fopen(path_of(name), "r");
	uint8_t *back = malloc(n + 1);

	if (f == NULL || fread(back, 1, n + 1, f) != n ||
	    (n > 0 && memcmp(back, p, n) != 0))
		abort();
	fclose(f);
	free(back);
}

/* Everything in the folder; newest: whether it holds what was written. */
static bool
clean(void)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	bool found = false;
	char text[65536];
	size_t n;
	FILE *f;

	if (d == NULL)
		abort();
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		f = fopen(path_of(e->d_name), "r");
		n = f == NULL ? 0 : fread(text, 1, sizeof(text) - 1, f);
		text[n] = '\0';
		if (f != NULL)
			fclose(f);
		if (strcmp(e->d_name, FIRST) != 0 &&
		    strcmp(e->d_name, SECOND) != 0 &&
		    strcmp(e->d_name, JDIR_CURRENT) != 0 &&
		    strstr(text, NEXT) != NULL)
			found = true;
		unlink(path_of(e->d_name));
	}
	closedir(d);
	return found;
}

static void
go_on(void)
{
	const struct jfile_conf conf = { .log_dir = world_dir, .console = "gw",
	    .box = "box", .boot = 1 };
	struct journal *j = journal_new(&conf);
	struct jdir_place place;
	struct stamp now = stamp_now();
	const char *line = NEXT "\n";
	uint64_t at;

	if (journal_find_place(&conf, &place) == -1 || !place.known)
		place = (struct jdir_place){ .known = 0 };
	else if (place.shown < place.resume)
		abort();
	at = place.known ? place.resume : 0;
	journal_begin(j, at, !place.known);
	if (journal_data(j, now, line, strlen(line)) != strlen(line) ||
	    journal_offset(j) != at + strlen(line) ||
	    journal_event(j, now, RECORD_EVENT, "note x", 6) == -1 ||
	    journal_flush(j, now, JOURNAL_SHOW_ALL) == -1)
		abort();
	journal_free(j);
	/* Somebody after that finds where it went. */
	if (journal_find_place(&conf, &place) == -1 || !place.known ||
	    place.resume != at + strlen(line))
		abort();
}

static void
begin(void)
{
	world_begin();
	snprintf(folder, sizeof(folder), "%s/gw", world_dir);
	if (mkdir(folder, 0700) == -1)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t older[] = "@1 an older one\n";
	bool two = n > 0 && (p[0] & 1) != 0;

	if (world_dir[0] == '\0')
		begin();
	if (n == 0)
		return 0;
	if (two)
		put(FIRST, older, sizeof(older) - 1);
	put(two ? SECOND : FIRST, p + 1, n - 1);
	go_on();
	check_untouched(two ? SECOND : FIRST, p + 1, n - 1);
	if (two)
		check_untouched(FIRST, older, sizeof(older) - 1);
	if (!clean())
		abort();
	return 0;
}
