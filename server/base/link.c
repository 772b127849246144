#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link.h"
#include "log.h"
#include "mem.h"

#define IN_MAX (2 * (FRAME_HEAD + FRAME_MAX))
#define READ_BYTES 65536
#define FDS_MAX 16		/* received and not yet claimed */
#define FDS_OUT_MAX 2048	/* two for each of the most consoles, and more */
#define FRAMES_PER_TURN 256

struct link {
	struct loop *loop;
	int fd;
	struct watch *watch;
	struct buf *in, *out;
	const struct link_ops *ops;
	void *arg;
	struct timer *soon;	/* down, or frames left over */
	const char *why;	/* down because of this */
	int fds_in[FDS_MAX];	/* received, not yet claimed by a frame; -1:
				   lost on the way */
	size_t nfds_in;
	struct {
		uint64_t at;	/* position in the stream out */
		int fd;
	} *fds_out;
	size_t nfds_out;
	uint64_t sent;		/* bytes written to the socket */
	bool held, wants_room, told_down;
	bool mute;		/* the peer takes no more */
	bool ended;		/* it closed; frames may be left over */
	bool freed;		/* by a callback: gone when it returns */
	int depth;		/* callbacks under way */
	struct frame_out *frame;
};

static void
destroy(struct link *l)
{
	for (size_t i = 0; i < l->nfds_in; i++) {
		if (l->fds_in[i] != -1)
			close(l->fds_in[i]);
	}
	for (size_t i = 0; i < l->nfds_out; i++)
		close(l->fds_out[i].fd);
	close(l->fd);
	free(l->fds_out);
	buf_free(l->in);
	buf_free(l->out);
	free(l->frame);
	free(l);
}

/* The owner may free the link from any callback: do it when all are back. */
static void
leave(struct link *l)
{
	if (--l->depth == 0 && l->freed)
		destroy(l);
}

static void
go_down(struct link *l, const char *why)
{
	if (l->why != NULL)
		return;			/* already, or freed */
	l->why = why;
	watch_free(l->watch);
	l->watch = NULL;
	timer_set(l->soon, 0);
}

static void
rewatch(struct link *l)
{
	short events = l->held ? 0 : POLLIN;

	if (l->watch == NULL)
		return;
	if (buf_len(l->out) > 0)
		events |= POLLOUT;
	/* A held link must not learn of the end before it has read all. */
	watch_want(l->watch, l->ended ? 0 : events);
}

/*
 * The system had no number left for a descriptor: its frame comes without,
 * and whoever takes it knows whether that can be borne.
 */
static void
note_lost_fd(struct link *l)
{
	log_error("a descriptor that was handed to this process is lost: too "
	    "many are open");
	if (l->nfds_in == FDS_MAX)
		go_down(l, "too many descriptors");
	else
		l->fds_in[l->nfds_in++] = -1;
}

/* Nothing more can be sent.  What the peer said before is still read. */
static void
peer_closed(struct link *l)
{
	buf_clear(l->out);
	l->mute = true;
	rewatch(l);
}

static void
send_some(struct link *l)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	memset(&msg, 0, sizeof(msg));
	iov.iov_base = (void *)(uintptr_t)buf_data(l->out);
	iov.iov_len = buf_len(l->out);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (l->nfds_out > 0 && l->fds_out[0].at > l->sent) {
		/* A descriptor must leave with the first byte of its frame. */
		iov.iov_len = (size_t)(l->fds_out[0].at - l->sent);
	} else if (l->nfds_out > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.head), &l->fds_out[0].fd,
		    sizeof(int));
		iov.iov_len = FRAME_HEAD;
	}
	n = sendmsg(l->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			peer_closed(l);
		return;
	}
	if (msg.msg_controllen > 0) {
		close(l->fds_out[0].fd);
		l->nfds_out--;
		memmove(l->fds_out, l->fds_out + 1,
		    l->nfds_out * sizeof(l->fds_out[0]));
	}
	buf_drop(l->out, (size_t)n);
	l->sent += (uint64_t)n;
}

void
link_flush(struct link *l)
{
	size_t before;

	l->depth++;
	do {
		before = buf_len(l->out);
		if (before == 0 || l->why != NULL)
			break;
		send_some(l);
	} while (buf_len(l->out) < before && buf_len(l->out) > 0);
	rewatch(l);
	if (l->wants_room && l->why == NULL &&
	    link_queued(l) * 2 < buf_room(l->out) + link_queued(l)) {
		l->wants_room = false;
		if (l->ops->room != NULL)
			l->ops->room(l->arg);
	}
	leave(l);
}

static void
keep_fds(struct link *l, struct msghdr *msg)
{
	struct cmsghdr *c;

	if ((msg->msg_flags & MSG_CTRUNC) != 0)
		note_lost_fd(l);
	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(int));
			if (l->nfds_in == FDS_MAX) {
				close(fd);
				go_down(l, "too many descriptors");
				continue;
			}
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			l->fds_in[l->nfds_in++] = fd;
		}
	}
}

static int
claim_fd(struct link *l, const struct frame *f)
{
	int fd;

	if (!(f->flags & FRAME_HAS_FD))
		return -1;
	if (l->nfds_in == 0)
		return -2;
	fd = l->fds_in[0];
	l->nfds_in--;
	memmove(l->fds_in, l->fds_in + 1, l->nfds_in * sizeof(int));
	return fd;
}

/* Hand out whole frames, some per turn so that nobody starves. */
static void
deliver(struct link *l)
{
	struct frame f;
	size_t used;
	int fd, r;

	for (int i = 0; i < FRAMES_PER_TURN && l->why == NULL; i++) {
		if (l->held || l->freed)
			return;
		r = frame_parse(buf_data(l->in), buf_len(l->in), &f, &used);
		if (r == 0 && l->ended)
			go_down(l, "peer gone");
		if (r == 0)
			return;
		if (r == -1 || (fd = claim_fd(l, &f)) == -2) {
			go_down(l, "bad frame");
			return;
		}
		if (l->ops->frame(l->arg, &f, fd) == -1) {
			go_down(l, "bad frame");
			return;
		}
		buf_drop(l->in, used);
	}
	if (l->why == NULL && !l->freed)
		timer_set(l->soon, 0);
}

static void
read_some(struct link *l)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	iov.iov_base = buf_reserve(l->in, READ_BYTES, &iov.iov_len);
	if (iov.iov_base == NULL)
		return;
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control);
	n = recvmsg(l->fd, &msg, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		l->ended = true;
		rewatch(l);
		return;
	}
	keep_fds(l, &msg);
	buf_commit(l->in, (size_t)n);
}

static void
on_socket(void *arg, short revents)
{
	struct link *l = arg;

	l->depth++;
	if (revents & POLLOUT)
		link_flush(l);
	if (l->why == NULL && !l->freed &&
	    !l->held && (revents & (POLLIN | POLLHUP | POLLERR))) {
		read_some(l);
		deliver(l);
	}
	leave(l);
}

static void
on_soon(void *arg)
{
	struct link *l = arg;

	l->depth++;
	if (l->why == NULL) {
		deliver(l);
	} else if (!l->told_down) {
		l->told_down = true;
		l->ops->down(l->arg, l->why);
	}
	leave(l);
}

struct link *
link_new(struct loop *loop, int fd, size_t out_max, const struct link_ops *ops,
    void *arg)
{
	struct link *l = xcalloc(1, sizeof(*l));

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	l->loop = loop;
	l->fd = fd;
	l->in = buf_new(IN_MAX);
	l->out = buf_new(out_max);
	l->ops = ops;
	l->arg = arg;
	l->watch = watch_new(loop, fd, POLLIN, on_socket, l);
	l->soon = timer_new(loop, on_soon, l);
	l->frame = xmalloc(sizeof(*l->frame));
	return l;
}

void
link_free(struct link *l)
{
	if (l == NULL || l->freed)
		return;
	l->freed = true;
	l->why = "freed";
	watch_free(l->watch);
	timer_free(l->soon);
	l->watch = NULL;
	if (l->depth == 0)
		destroy(l);
}

struct frame_out *
link_start(struct link *l, uint16_t type)
{
	frame_start(l->frame, type);
	return l->frame;
}

/* Whether the frame will leave. */
static bool
queue(struct link *l, uint16_t flags)
{
	if (l->why != NULL || l->mute)
		return false;
	if (frame_finish(l->frame, flags) == -1) {
		log_error("link: a frame of type %u outgrew its limit",
		    (unsigned)(l->frame->block[4] << 8 | l->frame->block[5]));
		return false;
	}
	if (buf_add(l->out, l->frame->block, l->frame->len) == -1) {
		go_down(l, "too slow");
		return false;
	}
	rewatch(l);
	return true;
}

void
link_send(struct link *l)
{
	queue(l, 0);
}

void
link_send_fd(struct link *l, int fd)
{
	int copy;

	if (l->nfds_out == FDS_OUT_MAX ||
	    (copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		go_down(l, "too many descriptors");
		return;
	}
	l->fds_out = xreallocarray(l->fds_out, l->nfds_out + 1,
	    sizeof(*l->fds_out));
	l->fds_out[l->nfds_out].at = l->sent + buf_len(l->out);
	l->fds_out[l->nfds_out++].fd = copy;
	/* Without its frame it would go with the next one's bytes. */
	if (!queue(l, FRAME_HAS_FD))
		close(l->fds_out[--l->nfds_out].fd);
}

size_t
link_room(struct link *l)
{
	size_t room = buf_room(l->out);

	/* Whoever sends bulk leaves as much again for what cannot wait. */
	if (room < 2 * (FRAME_HEAD + FRAME_MAX))
		l->wants_room = true;
	return room;
}

size_t
link_queued(const struct link *l)
{
	return buf_len(l->out);
}

void
link_hold(struct link *l, bool hold)
{
	if (l->held == hold)
		return;
	l->held = hold;
	rewatch(l);
	if (!hold && l->why == NULL)
		timer_set(l->soon, 0);
}

int
link_fd(const struct link *l)
{
	return l->fd;
}
