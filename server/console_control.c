#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "client.h"
#include "console_control.h"
#include "console_internal.h"

#define AGAIN_MS 1000
#define PER_TURN 16

struct waiting {
	uint32_t request;
	int fd;
};

struct control {
	struct console *console;
	struct watch *watch;
	struct timer *again;		/* after running out of descriptors */
	int fd;
	uint32_t last;			/* number of a request */
	struct waiting waiting[CONTROL_WAITING];
	size_t n;
};

static void
on_again(void *arg)
{
	struct control *ct = arg;

	watch_set(ct->watch, POLLIN);
}

static void
ask_name(struct control *ct, int fd, uid_t uid)
{
	struct link *up = ct->console->up;
	struct frame_out *out = link_start(up, UP_NAME);

	ct->waiting[ct->n++] = (struct waiting){ ++ct->last, fd };
	frame_put_u32(out, ct->last);
	frame_put_u32(out, (uint32_t)uid);
	link_send(up);
	link_flush(up);
}

/* False: there is none, or none can be taken now. */
static bool
take_one(struct control *ct)
{
	uid_t uid;
	gid_t gid;
	int fd = accept4(ct->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1 || !fd_leaves_room(fd))
		return false;
	if (os_peer_id(fd, &uid, &gid) == -1) {
		log_errno("control socket: who is that?");
		close(fd);
		return true;
	}
	ask_name(ct, fd, uid);
	return true;
}

static void
on_control(void *arg, short revents)
{
	struct control *ct = arg;
	bool more = true;

	(void)revents;
	for (int i = 0; i < PER_TURN && more && ct->n < CONTROL_WAITING; i++)
		more = take_one(ct);
	if (ct->n == CONTROL_WAITING) {
		watch_pause(ct->watch);
	} else if (!more && (errno == EMFILE || errno == ENFILE)) {
		log_errno("control socket: cannot accept a connection");
		watch_pause(ct->watch);
		timer_set(ct->again, AGAIN_MS);
	}
}

int
control_named(struct control *ct, uint32_t request, const char *name)
{
	size_t i = 0;
	int fd;

	while (i < ct->n && ct->waiting[i].request != request)
		i++;
	if (i == ct->n)
		return -1;
	fd = ct->waiting[i].fd;
	if (ct->n == CONTROL_WAITING)
		watch_set(ct->watch, POLLIN);
	ct->waiting[i] = ct->waiting[--ct->n];
	client_add(ct->console, fd, PEER_LOCAL, name);
	return 0;
}

struct control *
control_new(struct console *c, int fd)
{
	struct control *ct = xcalloc(1, sizeof(*ct));

	ct->console = c;
	ct->fd = fd;
	ct->watch = watch_new(c->loop, fd, POLLIN, on_control, ct);
	ct->again = timer_new(c->loop, on_again, ct);
	return ct;
}

void
control_free(struct control *ct)
{
	if (ct == NULL)
		return;
	while (ct->n > 0)
		close(ct->waiting[--ct->n].fd);
	watch_free(ct->watch);
	timer_free(ct->again);
	close(ct->fd);
	free(ct);
}
