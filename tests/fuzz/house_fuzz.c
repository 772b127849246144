/*
 * A gate whose supervisor has gone bad, too: what it is to know of the house,
 * and what it is asked, comes in any order, more than once, cut off, with any
 * descriptor or none.  Still nobody is let in who has neither code nor key,
 * and all that came along is closed.
 *
 * Input: parts: a byte (bits 0-1: which descriptor, 0 none; bit 2: bytes as
 * they are, else a frame; bit 3: nothing follows), its type, two of length,
 * that many.
 */
#include "asked.h"

#define PARTS 32
#define PART_MAX 8192
#define ALL_MAX 65536			/* a socket takes as much at once */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int junk, others[2];		/* a file, a pair of sockets */

static void
begin(void)
{
	asked_begin();
	junk = os_anon_fd("house-fuzz");
	if (junk == -1 || fd_write_all(junk, "= {", 3) == -1)
		abort();
	world_pair(others);
}

/* As it comes, a descriptor with it or not. */
static void
send_bytes(int sock, const uint8_t *p, size_t n, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
	    .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n == 0)
		return;
	if (fd != -1) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.space);
	}
	(void)!sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
send_part(int sock, const uint8_t *head, const uint8_t *p, size_t n)
{
	const int fds[] = { -1, asked_conf, junk, others[0] };
	int fd = fds[head[0] & 3];
	uint16_t type = (uint16_t)(0x0800 | head[1]);

	if ((head[0] & 4) != 0)
		send_bytes(sock, p, n, fd);
	else if (fd == -1)
		world_say(sock, type, p, n);
	else
		world_say_fd(sock, type, p, n, fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *words[] = { world_dir };
	size_t len, all = 0;
	unsigned sockets;
	int pair[2];

	if (world_dir[0] == '\0')
		begin();
	sockets = world_sockets();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	for (int i = 0; i < PARTS && n >= 4; i++) {
		len = (size_t)(p[2] << 8 | p[3]) % PART_MAX;
		if (len > n - 4)
			len = n - 4;
		if ((all += FRAME_HEAD + len) > ALL_MAX)
			break;
		send_part(pair[0], p, p + 4, len);
		if ((p[0] & 8) != 0)
			break;
		p += 4 + len;
		n -= 4 + len;
	}
	shutdown(pair[0], SHUT_WR);
	gate_main(pair[1], 1, words);
	asked_check_answer(pair[0]);
	close(pair[1]);
	close(pair[0]);
	if (world_sockets() != sockets)
		abort();
	return 0;
}
