/* poll(2), through os_poll. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "os.h"
#include "waiter.h"

struct waiter {
	struct pollfd *fds;
	uint64_t *ids;		/* parallel to fds */
	size_t n;
	size_t next;		/* where the last look stopped */
};

struct waiter *
waiter_new(void)
{
	return xcalloc(1, sizeof(struct waiter));
}

void
waiter_free(struct waiter *w)
{
	free(w->fds);
	free(w->ids);
	free(w);
}

/* Its place, or n. */
static size_t
find(const struct waiter *w, int fd)
{
	size_t i = 0;

	while (i < w->n && w->fds[i].fd != fd)
		i++;
	return i;
}

int
waiter_add(struct waiter *w, int fd, short events, uint64_t id)
{
	w->fds = xreallocarray(w->fds, w->n + 1, sizeof(*w->fds));
	w->ids = xreallocarray(w->ids, w->n + 1, sizeof(*w->ids));
	w->fds[w->n] = (struct pollfd){ .fd = fd, .events = events };
	w->ids[w->n++] = id;
	return 0;
}

int
waiter_change(struct waiter *w, int fd, short events, uint64_t id)
{
	size_t i = find(w, fd);

	if (i == w->n)
		return waiter_add(w, fd, events, id);
	w->fds[i].events = events;
	w->ids[i] = id;
	return 0;
}

void
waiter_drop(struct waiter *w, int fd)
{
	size_t i = find(w, fd);

	if (i == w->n)
		return;
	w->n--;
	memmove(w->fds + i, w->fds + i + 1, (w->n - i) * sizeof(*w->fds));
	memmove(w->ids + i, w->ids + i + 1, (w->n - i) * sizeof(*w->ids));
}

/* From where the last look stopped, so that nobody is left out for long. */
int
waiter_sleep(struct waiter *w, const struct timespec *timeout,
    struct waiter_event *events, size_t max)
{
	int ready = os_poll(w->fds, w->n, timeout);
	size_t first = w->next < w->n ? w->next : 0, found = 0;

	if (ready <= 0)
		return ready;
	for (size_t k = 0; k < w->n && found < max; k++) {
		size_t i = (first + k) % w->n;

		if (w->fds[i].revents == 0)
			continue;
		events[found].id = w->ids[i];
		events[found++].revents = w->fds[i].revents;
		w->next = i + 1;
	}
	return (int)found;
}
