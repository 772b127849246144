/*
 * world: what a test needs around a part of a process: a scratch folder, a
 * loop that turns, sockets, frames, and what came back.  For unit tests and
 * fuzz targets alike: what cannot be is abort().
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/frame.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/unit/loop_help.h"

#define WORLD_DIR 64
#define WORLD_FDS 256		/* looked at by world_sockets */
#define WORLD_ACTS 200		/* of one input */

/* The one of this process; it goes with it. */
static char world_dir[WORLD_DIR];

static inline void
world_leave(void)
{
	char command[WORLD_DIR + 32];

	snprintf(command, sizeof(command), "rm -rf '%s'", world_dir);
	if (system(command) != 0)
		perror(command);
}

/* In memory where that can be; and nothing is logged. */
static inline void
world_begin(void)
{
	strcpy(world_dir, access("/dev/shm", W_OK) == 0 ?
	    "/dev/shm/oobd-world-XXXXXX" : "/tmp/oobd-world-XXXXXX");
	if (mkdtemp(world_dir) == NULL)
		abort();
	atexit(world_leave);
	log_open(NULL, LOG_TO_SYSLOG, false);
}

/* What config_parse says of a text that is ours. */
static inline void
world_error(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "%s\n", message);
}

/* What is due is done, and what came of that. */
static inline void
world_turn(struct loop *loop)
{
	for (int i = 0; i < 2; i++)
		loop_for(loop, 0);
}

/* Two ends that never block. */
static inline void
world_pair(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    pair) == -1)
		abort();
}

/* A frame in a block of just its size, which *f points into: to be freed. */
static inline uint8_t *
world_frame(struct frame *f, uint16_t type, const void *p, size_t n)
{
	uint8_t *block = xcalloc(1, FRAME_HEAD + n);
	size_t used;

	for (int i = 0; i < 4; i++)
		block[i] = (uint8_t)(n >> (24 - 8 * i));
	block[4] = (uint8_t)(type >> 8);
	block[5] = (uint8_t)type;
	if (n > 0)
		memcpy(block + FRAME_HEAD, p, n);
	if (frame_parse(block, FRAME_HEAD + n, f, &used) != 1 ||
	    used != FRAME_HEAD + n)
		abort();
	return block;
}

/* To a peer that may be gone, or read no more. */
static inline void
world_say(int fd, uint16_t type, const void *p, size_t n)
{
	struct frame f;
	uint8_t *block = world_frame(&f, type, p, n);

	(void)!send(fd, block, FRAME_HEAD + n, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(block);
}

/* One more frame, field by field; there is one such at a time. */
static inline struct frame_out *
world_start(uint16_t type)
{
	static struct frame_out o;

	frame_start(&o, type);
	return &o;
}

static inline void
world_send(int fd, const struct frame_out *o)
{
	if (o->bad)
		abort();
	world_say(fd, (uint16_t)(o->block[4] << 8 | o->block[5]),
	    o->block + FRAME_HEAD, o->len - FRAME_HEAD);
}

/* As world_say, with a descriptor; ours stays ours. */
static inline void
world_say_fd(int fd, uint16_t type, const void *p, size_t n, int give)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct frame f;
	uint8_t *block = world_frame(&f, type, p, n);
	struct iovec iov = { block, FRAME_HEAD + n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control.space) };

	block[7] = FRAME_HAS_FD;
	memset(&control, 0, sizeof(control));
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.head), &give, sizeof(give));
	(void)!sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(block);
}

/*
 * All that came to this socket, as far as there is room; descriptors are
 * closed, and counted where fds is not NULL.
 */
static inline size_t
world_receive(int fd, uint8_t *in, size_t room, unsigned *fds)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * 64)];
		struct cmsghdr align;
	} control;
	size_t n = 0;
	ssize_t got;

	for (;;) {
		struct iovec iov = { in + n, room - n };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		    .msg_control = control.room,
		    .msg_controllen = sizeof(control.room) };
		struct cmsghdr *c;

		got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (got <= 0)
			return n;
		n += (size_t)got;
		for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
			close(*(int *)(void *)CMSG_DATA(c));
			if (fds != NULL)
				++*fds;
		}
	}
}

/* For a link or a feed of which nothing is to be heard. */

static inline void
world_nothing(void *arg)
{
	(void)arg;
}

static inline void
world_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static inline int
world_refuse(void *arg, struct frame *f, int fd)
{
	(void)arg;
	(void)f;
	(void)fd;
	return -1;
}

/*
 * What an input does: a byte which act of all, one for its size, so many
 * bytes, which it is given; a turn after each.
 */
typedef void world_act(const uint8_t *, size_t);

static inline void
world_acts(world_act *const *all, size_t nall, void (*turn)(void),
    const uint8_t *p, size_t n)
{
	size_t len;

	for (int i = 0; i < WORLD_ACTS && n >= 2; i++) {
		len = p[1] < n - 2 ? p[1] : n - 2;
		all[p[0] % nall](p + 2, len);
		turn();
		p += 2 + len;
		n -= 2 + len;
	}
}

/*
 * How many sockets are open: none may be left behind.  What else there is may
 * be a sanitizer's.
 */
static inline unsigned
world_sockets(void)
{
	struct stat st;
	unsigned n = 0;

	for (int fd = 0; fd < WORLD_FDS; fd++)
		n += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	return n;
}

#endif
