#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../server/base/fileio.h"
#include "../../server/base/log.h"
#include "../../server/base/mem.h"
#include "control.h"
#include "sock.h"

#define CLIENTS_MAX 8
#define LINE_BYTES 4096

struct client {
	struct control *control;
	int fd;			/* -1: a free place */
	struct watch *watch;
	size_t len;
	char line[LINE_BYTES];
};

struct control {
	struct loop *loop;
	control_fn *fn;
	void *arg;
	int fd;
	struct watch *watch;
	char *path;
	struct client clients[CLIENTS_MAX];
	char reply[CONTROL_REPLY + 1];	/* and its newline */
};

static void
client_close(struct client *c)
{
	watch_free(c->watch);
	c->watch = NULL;
	close(c->fd);
	c->fd = -1;
}

/* Carry out every whole line.  0, or -1 when the client is of no use. */
static int
client_lines(struct client *c)
{
	char *reply = c->control->reply, *end;
	size_t n;

	while ((end = memchr(c->line, '\n', c->len)) != NULL) {
		*end = '\0';
		reply[0] = '\0';
		c->control->fn(c->control->arg, c->line, reply,
		    CONTROL_REPLY);
		n = strlen(reply);
		reply[n++] = '\n';
		/* One that does not read its answers is dropped. */
		if (send(c->fd, reply, n, MSG_NOSIGNAL) != (ssize_t)n)
			return -1;
		n = (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->len - n);
		c->len -= n;
	}
	return c->len == sizeof(c->line) ? -1 : 0;
}

static void
on_client(void *arg, short revents)
{
	struct client *c = arg;
	ssize_t n;

	(void)revents;
	n = read(c->fd, c->line + c->len, sizeof(c->line) - c->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->len += (size_t)n;
	if (client_lines(c) == -1)
		client_close(c);
}

static void
on_accept(void *arg, short revents)
{
	struct control *k = arg;
	int fd = accept(k->fd, NULL, NULL);

	(void)revents;
	if (fd == -1)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &k->clients[i];

		if (c->fd != -1 || fd_prepare(fd) == -1)
			continue;
		c->fd = fd;
		c->len = 0;
		c->watch = watch_new(k->loop, fd, POLLIN, on_client, c);
		return;
	}
	close(fd);
}

struct control *
control_new(struct loop *loop, const char *path, control_fn *fn, void *arg)
{
	struct control *k;
	int fd = sock_listen(path);

	if (fd == -1) {
		log_errno("control socket %s", path);
		return NULL;
	}
	k = xcalloc(1, sizeof(*k));
	k->loop = loop;
	k->fn = fn;
	k->arg = arg;
	k->fd = fd;
	k->path = xstrdup(path);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		k->clients[i].control = k;
		k->clients[i].fd = -1;
	}
	k->watch = watch_new(loop, fd, POLLIN, on_accept, k);
	return k;
}

void
control_free(struct control *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (k->clients[i].fd != -1)
			client_close(&k->clients[i]);
	}
	watch_free(k->watch);
	close(k->fd);
	unlink(k->path);
	free(k->path);
	free(k);
}
