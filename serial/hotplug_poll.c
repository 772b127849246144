#include <stdlib.h>

#include "../server/base/mem.h"
#include "hotplug.h"

#define POLL_MS 500

struct hotplug {
	void (*changed)(void *arg);
	void *arg;
	struct timer *timer;
};

static void
on_timer(void *arg)
{
	struct hotplug *h = arg;

	timer_set(h->timer, POLL_MS);
	h->changed(h->arg);
}

struct hotplug *
hotplug_new(struct loop *loop, void (*changed)(void *arg), void *arg)
{
	struct hotplug *h = xcalloc(1, sizeof(*h));

	h->changed = changed;
	h->arg = arg;
	h->timer = timer_new(loop, on_timer, h);
	return h;
}

void
hotplug_free(struct hotplug *h)
{
	if (h == NULL)
		return;
	timer_free(h->timer);
	free(h);
}

void
hotplug_add_dir(struct hotplug *h, const char *dir)
{
	(void)h;
	(void)dir;
}

void
hotplug_add_path(struct hotplug *h, const char *path)
{
	/* port_present looks at every path itself. */
	(void)h;
	(void)path;
}

void
hotplug_want(struct hotplug *h, bool want)
{
	if (!want)
		timer_stop(h->timer);
	else if (!timer_is_set(h->timer))
		timer_set(h->timer, POLL_MS);
}
