#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pass.h"

#define FDS_MAX 4		/* that somebody may send at once */

/* The descriptor goes with the first byte, so only once. */
static int
send_all(int sock, struct msghdr *msg)
{
	struct iovec *iov = msg->msg_iov;
	ssize_t n;

	while (iov->iov_len > 0) {
		n = sendmsg(sock, msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		iov->iov_base = (uint8_t *)iov->iov_base + n;
		iov->iov_len -= (size_t)n;
		msg->msg_control = NULL;
		msg->msg_controllen = 0;
	}
	return 0;
}

int
pass_send(int sock, struct frame_out *out, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr msg;

	if (frame_finish(out, fd == -1 ? 0 : FRAME_HAS_FD) == -1) {
		errno = EMSGSIZE;
		return -1;
	}
	memset(&control, 0, sizeof(control));
	memset(&msg, 0, sizeof(msg));
	iov.iov_base = out->block;
	iov.iov_len = out->len;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	if (fd == -1)
		return send_all(sock, &msg);
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control.space);
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	return send_all(sock, &msg);
}

static void
keep_one(int got, int *fd)
{
	if (*fd != -1) {
		close(got);
		return;
	}
	fcntl(got, F_SETFD, FD_CLOEXEC);
	*fd = got;
}

ssize_t
pass_receive(int sock, void *p, size_t n, int *fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct iovec iov = { p, n };
	struct msghdr msg;
	ssize_t got;
	int one;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control.space);
	got = recvmsg(sock, &msg, 0);
	if (got <= 0)
		return got;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL;
	    c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) /
		    sizeof(int); i++) {
			memcpy(&one, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(int));
			keep_one(one, fd);
		}
	}
	return got;
}
