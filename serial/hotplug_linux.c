#include <sys/inotify.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "hotplug.h"

#define GATHER_MS 20		/* one device makes several events */
#define POLL_MS 500
#define LINKS_MAX 8

/*
 * IN_ATTRIB: udev gives a new device its group a moment after it appeared,
 * and an ordinary user can open it only then.
 */
#define EVENTS (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_MOVE_SELF | \
    IN_ONLYDIR)

struct dir {
	char *path;
	int wd;			/* -1: not there, its parent is watched */
};

struct hotplug {
	void (*changed)(void *arg);
	void *arg;
	struct timer *gather;
	struct watch *watch;
	int fd;			/* -1: time has to do */
	bool timed;		/* something is not watched */
	bool want;
	size_t ndirs;
	struct dir dirs[HOTPLUG_DIRS_MAX];
};

/* Watch path or, while it is missing, the nearest folder above it. */
static int
watch_dir(struct hotplug *h, const char *path)
{
	char above[PATH_MAX];
	char *slash;
	int wd;

	wd = inotify_add_watch(h->fd, path, EVENTS);
	if (wd != -1)
		return wd;
	if (errno == ENOSPC || errno == ENOMEM)
		h->timed = true;
	if (strlen(path) >= sizeof(above))
		return -1;
	strcpy(above, path);
	while ((slash = strrchr(above, '/')) != NULL && slash != above) {
		*slash = '\0';
		if (inotify_add_watch(h->fd, above, EVENTS) != -1)
			break;
	}
	return -1;
}

/* Folders that were missing: true if one is there now. */
static bool
find_dirs(struct hotplug *h)
{
	bool found = false;
	size_t i;

	for (i = 0; i < h->ndirs; i++) {
		if (h->dirs[i].wd != -1)
			continue;
		h->dirs[i].wd = watch_dir(h, h->dirs[i].path);
		found |= h->dirs[i].wd != -1;
	}
	return found;
}

/* What inotify does not show, time does. */
static void
start_timing(struct hotplug *h)
{
	if (h->want && (h->fd == -1 || h->timed))
		timer_set_sooner(h->gather, POLL_MS);
}

static void
on_gathered(void *arg)
{
	struct hotplug *h = arg;

	if (!h->want)
		return;
	start_timing(h);
	h->changed(h->arg);
}

/* A watched folder went away. */
static void
lose_dir(struct hotplug *h, int wd)
{
	size_t i;

	for (i = 0; i < h->ndirs; i++)
		if (h->dirs[i].wd == wd)
			h->dirs[i].wd = -1;
}

static void
on_events(void *arg, short revents)
{
	char buf[4096] __attribute__((aligned(8)));
	struct hotplug *h = arg;
	struct inotify_event ev;
	ssize_t n, at;

	(void)revents;
	while ((n = read(h->fd, buf, sizeof(buf))) > 0)
		for (at = 0; at + (ssize_t)sizeof(ev) <= n;
		    at += (ssize_t)(sizeof(ev) + ev.len)) {
			memcpy(&ev, buf + at, sizeof(ev));
			if (ev.mask & IN_MOVE_SELF)
				inotify_rm_watch(h->fd, ev.wd);
			if (ev.mask & (IN_IGNORED | IN_MOVE_SELF))
				lose_dir(h, ev.wd);
		}
	/* Each new folder may show a further one that was waited for. */
	while (find_dirs(h))
		;
	if (h->want)
		timer_set_sooner(h->gather, GATHER_MS);
}

void
hotplug_add_dir(struct hotplug *h, const char *path)
{
	size_t i;

	for (i = 0; i < h->ndirs; i++)
		if (strcmp(h->dirs[i].path, path) == 0)
			return;
	if (h->ndirs == HOTPLUG_DIRS_MAX) {
		h->timed = true;
	} else {
		h->dirs[h->ndirs].path = xstrdup(path);
		h->dirs[h->ndirs].wd = h->fd == -1 ? -1 : watch_dir(h, path);
		h->ndirs++;
	}
	start_timing(h);
}

struct hotplug *
hotplug_new(struct loop *loop, void (*changed)(void *arg), void *arg)
{
	struct hotplug *h = xcalloc(1, sizeof(*h));

	h->changed = changed;
	h->arg = arg;
	h->gather = timer_new(loop, on_gathered, h);
	h->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (h->fd == -1)
		log_errno("hotplug: inotify (looking twice a second instead)");
	else
		h->watch = watch_new(loop, h->fd, POLLIN, on_events, h);
	hotplug_add_dir(h, "/dev");
	return h;
}

void
hotplug_free(struct hotplug *h)
{
	size_t i;

	if (h == NULL)
		return;
	watch_free(h->watch);
	timer_free(h->gather);
	if (h->fd != -1)
		close(h->fd);
	for (i = 0; i < h->ndirs; i++)
		free(h->dirs[i].path);
	free(h);
}

/* The folder part of path; path itself is left alone.  The caller frees. */
static char *
folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path ? xstrdup("/") :
	    xstrndup(path, (size_t)(slash - path));
}

void
hotplug_add_path(struct hotplug *h, const char *path)
{
	char *at, *dir, *next, link[PATH_MAX];
	unsigned hops;
	ssize_t n;

	if (path[0] != '/')
		return;
	at = xstrdup(path);
	for (hops = 0; hops < LINKS_MAX; hops++) {
		dir = folder(at);
		hotplug_add_dir(h, dir);
		n = readlink(at, link, sizeof(link) - 1);
		link[n == -1 ? 0 : n] = '\0';
		next = n <= 0 ? NULL : link[0] == '/' ? xstrdup(link) :
		    xasprintf("%s/%s", dir, link);
		free(dir);
		free(at);
		at = next;
		if (at == NULL)
			return;
	}
	free(at);
}

void
hotplug_want(struct hotplug *h, bool want)
{
	h->want = want;
	if (want)
		start_timing(h);
	else
		timer_stop(h->gather);
}
