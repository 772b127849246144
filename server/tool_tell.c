#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "base/frame.h"
#include "base/mem.h"
#include "pending.h"
#include "proto.h"
#include "tool_tell.h"

#define ANSWER_MS 3000
#define REQUEST 1
#define NO_CONSOLE 0xffff	/* of that name nobody has a last line */

struct talk {
	int fd;
	struct frame_out out;
	uint8_t in[FRAME_HEAD + FRAME_MAX];
	size_t n;
};

int
tool_connect(const struct config *conf)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(conf->control) >= sizeof(sun.sun_path))
		return -1;
	memcpy(sun.sun_path, conf->control, strlen(conf->control));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 && connect(fd, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int
send_frame(struct talk *t)
{
	return frame_finish(&t->out, 0) == 0 ?
	    fd_write_all(t->fd, t->out.block, t->out.len) : -1;
}

static int
send_all(struct talk *t, const char *user, const char *what)
{
	frame_start(&t->out, RQ_HELLO);
	frame_put_u16(&t->out, PROTO_VERSION);
	frame_put_str(&t->out, "oobctl");
	if (send_frame(t) == -1)
		return -1;
	frame_start(&t->out, RQ_AUTH);
	frame_put_u8(&t->out, AUTH_CHANGED);
	frame_put_u64(&t->out, 0);
	frame_put_str(&t->out, user);
	for (int i = 0; i < 4; i++)
		frame_put_str(&t->out, "");
	frame_put_str(&t->out, what);
	if (send_frame(t) == -1)
		return -1;
	frame_start(&t->out, RQ_TAIL);
	frame_put_u32(&t->out, REQUEST);
	frame_put_u16(&t->out, NO_CONSOLE);
	frame_put_u32(&t->out, 0);
	frame_put_u8(&t->out, 0);
	return send_frame(t);
}

/* Answers come in order: the end of the last request is that of all. */
static int
await_end(struct talk *t)
{
	struct mono end = mono_after(mono_now(), ANSWER_MS);
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	struct frame f;
	size_t used;
	ssize_t got;

	for (;;) {
		while (frame_parse(t->in, t->n, &f, &used) == 1) {
			if (f.type == AN_END)
				return 0;
			t->n -= used;
			memmove(t->in, t->in + used, t->n);
		}
		int64_t ms = mono_ms(mono_now(), end);

		if (ms <= 0 || t->n == sizeof(t->in) ||
		    poll(&p, 1, (int)ms) != 1)
			return -1;
		got = read(t->fd, t->in + t->n, sizeof(t->in) - t->n);
		if (got <= 0)
			return -1;
		t->n += (size_t)got;
	}
}

void
tool_tell(const struct config *conf, int fd, const char *user,
    const char *what)
{
	struct talk *t = xcalloc(1, sizeof(*t));
	char text[PENDING_LINE];
	int told = -1;

	t->fd = fd;
	if (fd != -1) {
		told = send_all(t, user, what);
		if (told == 0)
			told = await_end(t);
		close(fd);
	}
	free(t);
	snprintf(text, sizeof(text), "credentials user=%s via=\"oobctl, "
	    "without a daemon\" why=\"%s\"", user, what);
	if (told == -1 && pending_add(conf->state_dir, text) == -1)
		fprintf(stderr, "oobctl: it is done, but will not stand in "
		    "the box's journal: %s\n", strerror(errno));
}
