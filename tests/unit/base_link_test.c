#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/fileio.h"
#include "server/base/link.h"

#define OUT_MAX (1 << 20)

/* One end; the other is another one, or a plain descriptor of the test. */
struct end {
	struct loop *loop;
	struct link *link;
	unsigned frames, downs, rooms;
	uint64_t sum;
	int last_fd;
	char why[64];
	unsigned stop_at;	/* frames */
	bool stop_on_down, free_on_frame, free_on_down, refuse, hold;
	bool free_on_room, want_order;
};

static int
on_frame(void *arg, struct frame *f, int fd)
{
	struct end *e = arg;
	size_t n;

	if (e->want_order)
		assert_int_equal(frame_u32(f), e->frames);
	frame_rest(f, &n);
	e->sum += n;
	e->frames++;
	if (fd != -1) {
		if (e->last_fd != -1)
			close(e->last_fd);
		e->last_fd = fd;
	}
	if (e->refuse)
		return -1;
	if (e->hold)
		link_hold(e->link, true);
	if (e->free_on_frame) {
		link_free(e->link);
		e->link = NULL;
	}
	if (e->stop_at != 0 && e->frames >= e->stop_at)
		loop_stop(e->loop, 1);
	return 0;
}

static void
on_down(void *arg, const char *why)
{
	struct end *e = arg;

	e->downs++;
	snprintf(e->why, sizeof(e->why), "%s", why);
	if (e->free_on_down) {
		link_free(e->link);
		e->link = NULL;
	}
	if (e->stop_on_down)
		loop_stop(e->loop, 2);
}

static void
on_room(void *arg)
{
	struct end *e = arg;

	e->rooms++;
	if (e->free_on_room) {
		link_free(e->link);
		e->link = NULL;
	}
}

static const struct link_ops ops = { on_frame, on_down, on_room };

static void
on_timeout(void *arg)
{
	loop_stop(arg, -1);
}

/* Turn until a callback stops it; -1 after ms without that. */
static int
run(struct loop *loop, int64_t ms)
{
	struct timer *t = timer_new(loop, on_timeout, loop);
	int r;

	timer_set(t, ms);
	r = loop_run(loop);
	timer_free(t);
	return r;
}

static struct end
end_new(struct loop *loop)
{
	return (struct end){ .loop = loop, .last_fd = -1 };
}

static void
open_link(struct end *e, int fd)
{
	e->link = link_new(e->loop, fd, OUT_MAX, &ops, e);
}

static void
make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

/* Frame number i with n bytes behind. */
static void
send_frame(struct link *l, uint32_t i, size_t n)
{
	static const uint8_t zero[FRAME_MAX];
	struct frame_out *o = link_start(l, 9);

	frame_put_u32(o, i);
	frame_put_bytes(o, zero, n);
	link_send(l);
}

static int
open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 200; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
test_both_ways(void **state)
{
	struct loop *loop = loop_new();
	struct end a = end_new(loop), b = end_new(loop);
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	open_link(&b, fds[1]);
	assert_int_equal(link_fd(a.link), fds[0]);
	a.want_order = b.want_order = true;
	b.stop_at = 3000;
	for (uint32_t i = 0; i < 3000; i++)
		send_frame(a.link, i, i % 300);
	for (uint32_t i = 0; i < 100; i++)
		send_frame(b.link, i, 60000 * (i % 10 == 0));
	assert_int_equal(run(loop, 5000), 1);
	assert_int_equal(b.frames, 3000);
	assert_int_equal(b.sum, 10 * 299 * 300 / 2);
	run(loop, 50);
	assert_int_equal(a.frames, 100);
	assert_int_equal(a.sum, 600000);
	assert_int_equal(link_queued(a.link), 0);
	link_free(a.link);
	b.stop_on_down = true;
	assert_int_equal(run(loop, 5000), 2);
	assert_string_equal(b.why, "peer gone");
	assert_int_equal(b.downs, 1);
	link_free(b.link);
	link_free(NULL);
	run(loop, 1);
	loop_free(loop);
}

/* Everything the peer said before it left is heard, then that it left. */
static void
said_and_left(unsigned frames, bool held)
{
	struct loop *loop = loop_new();
	struct end a = end_new(loop), b = end_new(loop);
	int fds[2];

	make_pair(fds);
	open_link(&a, fds[0]);
	open_link(&b, fds[1]);
	b.want_order = true;
	b.stop_on_down = true;
	if (held)
		link_hold(b.link, true);
	for (uint32_t i = 0; i < frames; i++)
		send_frame(a.link, i, 4);
	link_flush(a.link);
	assert_int_equal(link_queued(a.link), 0);
	link_free(a.link);
	if (held) {
		assert_int_equal(run(loop, 50), -1);
		assert_int_equal(b.frames, 0);
		assert_int_equal(b.downs, 0);
		link_hold(b.link, false);
	}
	assert_int_equal(run(loop, 5000), 2);
	assert_int_equal(b.frames, frames);
	assert_string_equal(b.why, "peer gone");
	link_free(b.link);
	loop_free(loop);
}

static void
test_said_and_left(void **state)
{
	(void)state;
	said_and_left(1, false);
	said_and_left(2000, false);
	said_and_left(1, true);
	said_and_left(2000, true);
}

/* Also when we were about to answer it. */
static void
test_said_and_left_while_sending(void **state)
{
	struct loop *loop = loop_new();
	struct end a = end_new(loop), b = end_new(loop);
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	open_link(&b, fds[1]);
	b.stop_on_down = true;
	for (uint32_t i = 0; i < 1000; i++)
		send_frame(a.link, i, 4);
	link_flush(a.link);
	link_free(a.link);
	send_frame(b.link, 0, 1000);
	link_flush(b.link);
	send_frame(b.link, 0, 1000);
	assert_int_equal(run(loop, 5000), 2);
	assert_int_equal(b.frames, 1000);
	link_free(b.link);
	loop_free(loop);
}

static void
test_hold(void **state)
{
	struct loop *loop = loop_new();
	struct end a = end_new(loop), b = end_new(loop);
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	open_link(&b, fds[1]);
	b.want_order = true;
	b.hold = true;
	for (uint32_t i = 0; i < 600; i++)
		send_frame(a.link, i, 4);
	/* Each frame holds the link again. */
	for (unsigned i = 1; i <= 5; i++) {
		run(loop, 10);
		assert_int_equal(b.frames, i);
		link_hold(b.link, false);
	}
	b.hold = false;
	run(loop, 50);
	assert_int_equal(b.frames, 600);
	link_free(a.link);
	link_free(b.link);
	loop_free(loop);
}

/* The identity of what was passed. */
static void
same_file(int fd, int other)
{
	struct stat a, b;

	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstat(other, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_dev, b.st_dev);
}

static void
test_descriptors(void **state)
{
	int before = open_fds(), fds[2], files[3][2];
	struct loop *loop = loop_new();
	struct end a = end_new(loop), b = end_new(loop);

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	open_link(&b, fds[1]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pipe(files[i]), 0);
	/* Between frames with and without, big and small. */
	for (uint32_t i = 0; i < 3; i++) {
		send_frame(a.link, 0, 30000);
		link_start(a.link, 5);
		link_send_fd(a.link, files[i][0]);
		send_frame(a.link, 0, 1);
		run(loop, 20);
		assert_int_equal(b.frames, (i + 1) * 3);
		same_file(b.last_fd, files[i][0]);
		assert_true(fcntl(b.last_fd, F_GETFD) & FD_CLOEXEC);
	}
	/* All at once. */
	for (uint32_t i = 0; i < 10; i++) {
		link_start(a.link, 5);
		link_send_fd(a.link, files[i % 3][0]);
	}
	run(loop, 50);
	assert_int_equal(b.frames, 19);
	same_file(b.last_fd, files[0][0]);
	/* A frame that was never sent takes its descriptor with it. */
	frame_put_bytes(link_start(a.link, 5), NULL, FRAME_MAX + 1);
	link_send_fd(a.link, files[1][0]);
	link_start(a.link, 5);
	link_send_fd(a.link, files[2][0]);
	run(loop, 20);
	assert_int_equal(b.frames, 20);
	same_file(b.last_fd, files[2][0]);
	for (int i = 0; i < 3; i++) {
		close(files[i][0]);
		close(files[i][1]);
	}
	close(b.last_fd);
	link_free(a.link);
	link_free(b.link);
	loop_free(loop);
	assert_int_equal(open_fds(), before);
}

/* Nothing leaks when it ends in between. */
static void
test_descriptors_not_taken(void **state)
{
	int before = open_fds(), fds[2];
	struct loop *loop = loop_new();
	struct end a = end_new(loop), b = end_new(loop);

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	open_link(&b, fds[1]);
	link_hold(b.link, true);
	for (int i = 0; i < 8; i++) {
		link_start(a.link, 5);
		link_send_fd(a.link, 2);
	}
	run(loop, 10);
	link_hold(b.link, false);
	b.hold = true;			/* one is taken, the rest waits */
	run(loop, 10);
	assert_int_equal(b.frames, 1);
	link_start(a.link, 5);
	link_send_fd(a.link, 2);
	link_free(a.link);
	link_free(b.link);
	close(b.last_fd);
	loop_free(loop);
	assert_int_equal(open_fds(), before);
}

static void
raw(const void *p, size_t n, const char *why, unsigned frames)
{
	struct loop *loop = loop_new();
	struct end b = end_new(loop);
	int fds[2];

	make_pair(fds);
	open_link(&b, fds[1]);
	b.stop_on_down = true;
	assert_int_equal(fd_write_all(fds[0], p, n), 0);
	if (why != NULL) {
		assert_int_equal(run(loop, 2000), 2);
		assert_string_equal(b.why, why);
	} else {
		assert_int_equal(run(loop, 20), -1);
	}
	assert_int_equal(b.frames, frames);
	link_free(b.link);
	close(fds[0]);
	loop_free(loop);
}

static void
test_bad_peer(void **state)
{
	(void)state;
	raw("\0\1\0\1\0\0\0\0", 8, "bad frame", 0);
	raw("\377\377\377\377xxxxxxxx", 12, "bad frame", 0);
	/* It says that a descriptor is there, and none is. */
	raw("\0\0\0\0\0\1\0\1", 8, "bad frame", 0);
	/* A good one first. */
	raw("\0\0\0\1\0\1\0\0x\377\377\377\377\0\0\0\0", 17, "bad frame", 1);
	raw("\0\0\0\4\0\1\0\0xx", 10, NULL, 0);
}

static void
test_refused_by_owner(void **state)
{
	struct loop *loop = loop_new();
	struct end b = end_new(loop);
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&b, fds[1]);
	b.refuse = b.stop_on_down = b.free_on_down = true;
	assert_int_equal(write(fds[0], "\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0", 16),
	    16);
	assert_int_equal(run(loop, 2000), 2);
	assert_string_equal(b.why, "bad frame");
	assert_int_equal(b.frames, 1);
	assert_null(b.link);
	close(fds[0]);
	loop_free(loop);
}

/* One byte at a time is as good as all at once. */
static void
test_dribble(void **state)
{
	static const uint8_t three[] = {
		0, 0, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 'x',
		0, 0, 0, 4, 0, 9, 0, 0, 0, 0, 0, 1,
		0, 0, 0, 4, 0, 9, 0, 0, 0, 0, 0, 2,
	};
	struct loop *loop = loop_new();
	struct end b = end_new(loop);
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&b, fds[1]);
	b.want_order = true;
	for (size_t i = 0; i < sizeof(three); i++) {
		assert_int_equal(write(fds[0], three + i, 1), 1);
		run(loop, 1);
	}
	assert_int_equal(b.frames, 3);
	assert_int_equal(b.sum, 1);
	link_free(b.link);
	close(fds[0]);
	loop_free(loop);
}

/* A peer that does not read costs out_max, and is told of. */
static void
test_too_slow(void **state)
{
	struct loop *loop = loop_new();
	struct end a = end_new(loop);
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	a.stop_on_down = true;
	for (uint32_t i = 0; i < 1000; i++) {
		send_frame(a.link, i, 10000);
		if (i % 10 == 0)
			link_flush(a.link);
		assert_true(link_queued(a.link) <= OUT_MAX);
	}
	assert_int_equal(run(loop, 2000), 2);
	assert_string_equal(a.why, "too slow");
	assert_int_equal(a.downs, 1);
	send_frame(a.link, 0, 1);
	link_flush(a.link);
	run(loop, 5);
	assert_int_equal(a.downs, 1);
	link_free(a.link);
	close(fds[1]);
	loop_free(loop);
}

static void
test_room(void **state)
{
	struct loop *loop = loop_new();
	struct end a = end_new(loop);
	char sink[65536];
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	fd_prepare(fds[1]);
	assert_int_equal(link_room(a.link), OUT_MAX);
	while (link_room(a.link) >= FRAME_HEAD + FRAME_MAX)
		send_frame(a.link, 0, 60000);
	run(loop, 10);
	assert_int_equal(a.rooms, 0);
	for (int i = 0; i < 100 && a.rooms == 0; i++) {
		while (read(fds[1], sink, sizeof(sink)) > 0)
			;
		run(loop, 1);
	}
	assert_int_equal(a.rooms, 1);
	assert_true(link_queued(a.link) * 2 <= OUT_MAX);
	for (int i = 0; i < 100; i++) {
		while (read(fds[1], sink, sizeof(sink)) > 0)
			;
		run(loop, 1);
	}
	assert_int_equal(a.rooms, 1);	/* once for each time asked */
	assert_int_equal(a.downs, 0);
	/* The owner may free the link even there. */
	a.free_on_room = true;
	while (link_room(a.link) >= FRAME_HEAD + FRAME_MAX)
		send_frame(a.link, 0, 60000);
	for (int i = 0; i < 100 && a.link != NULL; i++) {
		while (read(fds[1], sink, sizeof(sink)) > 0)
			;
		run(loop, 1);
	}
	assert_null(a.link);
	assert_int_equal(a.downs, 0);
	close(fds[1]);
	loop_free(loop);
}

static void
test_free_in_frame(void **state)
{
	struct loop *loop = loop_new();
	struct end a = end_new(loop), b = end_new(loop);
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	open_link(&b, fds[1]);
	b.free_on_frame = true;
	a.stop_on_down = true;
	for (uint32_t i = 0; i < 1000; i++)
		send_frame(a.link, i, 4);
	assert_int_equal(run(loop, 2000), 2);
	assert_int_equal(b.frames, 1);
	assert_int_equal(b.downs, 0);
	assert_string_equal(a.why, "peer gone");
	link_free(a.link);
	loop_free(loop);
}

/* A frame that does not fit its block is left out; the link lives. */
static void
test_oversize_frame(void **state)
{
	struct loop *loop = loop_new();
	struct end a = end_new(loop), b = end_new(loop);
	int fds[2];

	(void)state;
	make_pair(fds);
	open_link(&a, fds[0]);
	open_link(&b, fds[1]);
	frame_put_bytes(link_start(a.link, 1), NULL, FRAME_MAX + 1);
	link_send(a.link);
	send_frame(a.link, 0, FRAME_MAX - 4);
	b.stop_at = 1;
	assert_int_equal(run(loop, 2000), 1);
	assert_int_equal(b.sum, FRAME_MAX);
	assert_int_equal(a.downs + b.downs, 0);
	link_free(a.link);
	link_free(b.link);
	loop_free(loop);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_said_and_left),
		cmocka_unit_test(test_said_and_left_while_sending),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_descriptors_not_taken),
		cmocka_unit_test(test_bad_peer),
		cmocka_unit_test(test_refused_by_owner),
		cmocka_unit_test(test_dribble),
		cmocka_unit_test(test_too_slow),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_free_in_frame),
		cmocka_unit_test(test_oversize_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
