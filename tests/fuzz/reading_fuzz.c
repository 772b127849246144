/*
 * A segment of any content: it is exported, verified, searched and gone
 * through, and what grep finds is what a look at every line finds.
 */
#include <sys/stat.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serial/export.h"
#include "serial/grep.h"
#include "server/last.h"
#include "server/verify.h"

#define NAME "00000001-20261122T020000Z.log"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char dir[64];

static int
take(void *arg, int stream, const void *data, size_t n)
{
	(void)data;
	if (stream == 1)
		*(size_t *)arg += n;
	return 0;
}

static int
no_key(void *arg, int64_t ms)
{
	(void)arg;
	(void)ms;
	return VIEW_TIMEOUT;
}

static const struct view_ops ops = { take, no_key, NULL };

static size_t
run(enum view_status (*verb)(const struct view *, int, char *const[]),
    const char *words)
{
	char copy[200], *argv[16];
	size_t shown = 0;
	struct view v = { &ops, &shown, dir, false };
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	verb(&v, argc, argv);
	return shown;
}

static enum view_status
export_any(const struct view *v, int argc, char *const argv[])
{
	return export_run(v, verify_span, argc, argv);
}

static void
clean(void)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/gw/" NAME, dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/gw", dir);
	rmdir(path);
	rmdir(dir);
}

static void
put_segment(const uint8_t *p, size_t n)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/gw", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/gw/" NAME, dir);
	f = fopen(path, "w");
	if (f == NULL)
		abort();
	fwrite(p, 1, n, f);
	fclose(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const formats[] = { "cast2", "cast3 --raw",
	    "script", "ttyrec", "text" };
	char words[100];

	if (n > 65536)
		return 0;
	if (*dir == '\0') {
		snprintf(dir, sizeof(dir), "/dev/shm/oobd-reading-%d",
		    (int)getpid());
		atexit(clean);
	}
	mkdir(dir, 0700);
	put_segment(p, n);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		snprintf(words, sizeof(words), "export gw --since 1970-01-01 "
		    "--format %s", formats[i]);
		run(export_any, words);
	}
	run(verify_run, "verify gw");
	run(last_run, "last gw -n 3");
	/* What is no JSON is not shown: at least the brackets are. */
	if (run(last_run, "last gw --json") < 3)
		abort();
	/* With a literal to look for, and without. */
	if (run(grep_run, "grep gw panic") !=
	    run(grep_run, "grep gw (p|p)(a|a)(n|n)(i|i)(c|c)"))
		abort();
	run(grep_run, "grep gw o -C 2 -i");
	run(grep_run, "grep gw o -C 2 --since 2026-11-22T02:00:04Z");
	return 0;
}
