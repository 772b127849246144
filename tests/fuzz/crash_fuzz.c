/*
 * A crash bundle of any content: it is listed and shown, safely; one that was
 * left growing is gone on with or ended, and what is written of it is a whole
 * one.  The first byte says whether it is a part, and where the history is;
 * the rest is the file.
 */
#include <sys/stat.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serial/crash.h"
#include "serial/crash_head.h"
#include "serial/crash_view.h"
#include "server/base/log.h"
#include "server/base/os.h"
#include "server/base/str.h"
#include "tests/world.h"

#define RING 65536
#define PART 1			/* of the first byte */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct alert_rule panic = { .name = "panic" };
static char folder[80];
static struct history *history;

static void
put(const char *name, const uint8_t *p, size_t n)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		abort();
}

static int
no_key(void *arg, int64_t ms)
{
	(void)arg;
	(void)ms;
	return VIEW_TIMEOUT;
}

/* arg: whether it has to be safe on a terminal. */
static int
take(void *arg, int stream, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; arg != NULL && stream == 1 && i < n; i++) {
		if ((p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') ||
		    p[i] == 0x7f)
			abort();
	}
	return 0;
}

static void
show(void)
{
	static const struct view_ops ops = { .write = take, .wait = no_key };
	static char *const safe[] = { (char *)(uintptr_t)"export",
	    (char *)(uintptr_t)"gw", (char *)(uintptr_t)"--crash",
	    (char *)(uintptr_t)"last", (char *)(uintptr_t)"--raw" };
	struct view v = { .ops = &ops, .log_dir = world_dir, .arg = world_dir };

	crash_view_run(&v, 4, safe);
	v.arg = NULL;
	crash_view_run(&v, 5, safe);
}

/* What was listed can be shown. */
static void
check_list(bool whole)
{
	struct crash_info *all;
	size_t n;

	all = crash_list(world_dir, "gw", &n);
	for (size_t i = 0; i < n; i++) {
		if (all[i].id == 0 && whole)
			abort();
		if (memchr(all[i].ended, '\0', sizeof(all[i].ended)) == NULL ||
		    !str_is_name(all[i].alert))
			abort();
	}
	free(all);
}

/* A head that was read, written, is read as the same. */
static void
check_head(const uint8_t *p, size_t n)
{
	struct crash_head h, again;
	char text[CRASH_HEAD_MAX];
	size_t len = crash_head_read(&h, (const char *)p, n);

	if (len > n || len > CRASH_HEAD_MAX)
		abort();
	if (len == 0)
		return;
	len = crash_head_write(text, &h);
	if (len > sizeof(text) || crash_head_read(&again, text, len) != len ||
	    strcmp(h.alerts, again.alerts) != 0 ||
	    strcmp(h.line, again.line) != 0 || h.from != again.from ||
	    h.offset != again.offset)
		abort();
}

static void
take_up(void)
{
	struct crash_conf conf = { world_dir, "gw", "box", 4, 1000 };
	struct alert_hit hit = { .rule = &panic, .when = stamp_now(),
	    .offset = history_head(history), .text = "panic" };
	struct crash *c = crash_new(&conf, history);
	struct mono now = mono_now();
	int64_t due;

	crash_happened(c, history, &hit);
	crash_run(c, history, history_head(history), now, now, &due);
	crash_run(c, history, history_head(history), now,
	    mono_after(now, 3600000), &due);
	if (due != INT64_MAX)
		abort();
	crash_free(c);
}

static void
begin(void)
{
	char path[80];
	int fd = os_anon_fd("crash-fuzz");

	world_begin();
	snprintf(path, sizeof(path), "%s/gw", world_dir);
	snprintf(folder, sizeof(folder), "%s/gw/crash", world_dir);
	if (mkdir(path, 0700) == -1 || mkdir(folder, 0700) == -1 ||
	    history_prepare(fd, RING) == -1 ||
	    (history = history_map(fd, RING)) == NULL)
		abort();
	close(fd);
}

static void
clean(void)
{
	char path[200];
	struct crash_info *all;
	size_t n;

	all = crash_list(world_dir, "gw", &n);
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, all[i].file);
		unlink(path);
	}
	free(all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (world_dir[0] == '\0')
		begin();
	if (n == 0)
		return 0;
	history_restart(history, p[0] / 2 * UINT64_C(1000));
	history_write(history, stamp_now(), p, n < RING ? n : RING);
	check_head(p + 1, n - 1);
	put((p[0] & PART) != 0 ? "00000007-20261122T094103Z-panic.part" :
	    "00000007-20261122T094103Z-panic.crash", p + 1, n - 1);
	check_list(true);
	show();
	take_up();
	check_list(true);
	show();
	clean();
	return 0;
}
