/*
 * Kept children, as real processes: this program in a role of its own.  One
 * that breaks the protocol towards the supervisor is killed and begun anew;
 * one that keeps to it lives.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/frame.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/children.h"
#include "server/proto.h"
#include "tests/skewed_time.h"

#define DEADLINE_MS 400
#define NEVER_MS (24 * 3600 * 1000)
#define REFUSED UP_READER	/* by the table that stands behind it here */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The children. */

static void
say(uint16_t type, uint64_t number, size_t bytes)
{
	static struct frame_out o;

	frame_start(&o, type);
	for (size_t i = bytes; i-- > 0;)
		frame_put_u8(&o, i < 8 ? (uint8_t)(number >> 8 * i) : 0);
	if (frame_finish(&o, 0) == -1 || write(CHILD_FD, o.block, o.len) !=
	    (ssize_t)o.len)
		_exit(9);
}

/* The next ping's number. */
static uint32_t
hear_ping(void)
{
	uint8_t in[FRAME_HEAD + 4];
	struct frame f;
	size_t used;

	if (recv(CHILD_FD, in, sizeof(in), MSG_WAITALL) != sizeof(in) ||
	    frame_parse(in, sizeof(in), &f, &used) != 1 || f.type != SV_PING)
		_exit(8);
	return frame_u32(&f);
}

static void
be_good(void)
{
	for (;;)
		say(UP_PONG, hear_ping(), 4);
}

static void
pong_twice(void)
{
	uint32_t n = hear_ping();

	say(UP_PONG, n, 4);
	say(UP_PONG, n, 4);
}

static void
pong_unasked(void)
{
	say(UP_PONG, 1, 4);
}

static void
pong_nothing(void)
{
	say(UP_PONG, 0, 4);
}

static void
pong_ahead(void)
{
	say(UP_PONG, hear_ping() + 1, 4);
}

static void
pong_short(void)
{
	say(UP_PONG, hear_ping(), 3);
}

static void
pong_long(void)
{
	say(UP_PONG, (uint64_t)hear_ping() << 8, 5);
}

static void
pong_empty(void)
{
	hear_ping();
	say(UP_PONG, 0, 0);
}

/* A header that announces more than any frame has. */
static void
oversized(void)
{
	static const uint8_t head[FRAME_HEAD] = { 0, 1, 0, 1, 5, 1, 0, 0 };

	if (write(CHILD_FD, head, sizeof(head)) != sizeof(head))
		_exit(9);
}

static void
asks(void)
{
	say(REFUSED, 1, 4);
}

static void
be_silent(void)
{
}

static const struct {
	const char *role;
	void (*live)(void);
	const char *why;	/* it ends; NULL: it does not */
} parts[] = {
	{ "good",	be_good,	NULL },
	{ "twice",	pong_twice,	"bad frame" },
	{ "unasked",	pong_unasked,	"bad frame" },
	{ "nothing",	pong_nothing,	"bad frame" },
	{ "ahead",	pong_ahead,	"bad frame" },
	{ "short",	pong_short,	"bad frame" },
	{ "long",	pong_long,	"bad frame" },
	{ "empty",	pong_empty,	"bad frame" },
	{ "oversized",	oversized,	"bad frame" },
	{ "asks",	asks,		"bad frame" },
	{ "silent",	be_silent,	"no answer within its deadline" },
};

/* Whoever is not killed for it stays. */
static int
child_main(const char *role)
{
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (strcmp(parts[i].role, role) == 0)
			parts[i].live();
	}
	poll(NULL, 0, 60000);
	return 7;
}

/* The supervisor. */

static struct loop *loop;
static char program[PATH_MAX];

static struct seen {
	struct child *child;
	pid_t pid;		/* of the first process */
	unsigned started, ended, asked;
	char why[160];
} seen[COUNT(parts)];

static void
on_started(void *arg, struct child *c)
{
	struct seen *s = arg;

	if (s->started++ == 0)
		s->pid = child_pid(c);
}

static int
on_frame(void *arg, struct child *c, struct frame *f, int fd)
{
	struct seen *s = arg;

	(void)c;
	assert_int_equal(fd, -1);
	assert_int_equal(f->type, REFUSED);
	s->asked++;
	return -1;
}

/* All that have to have ended once, and are there anew. */
static bool
is_over(void)
{
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (parts[i].why != NULL && (seen[i].ended == 0 ||
		    seen[i].started < 2))
			return false;
	}
	return true;
}

static void
on_ended(void *arg, struct child *c, const char *why, int64_t wait_ms)
{
	struct seen *s = arg;

	assert_int_equal(child_pid(c), 0);
	assert_true(wait_ms >= 0);
	if (s->ended++ == 0)
		snprintf(s->why, sizeof(s->why), "%s", why);
}

static const struct child_ops ops = {
	.started = on_started, .frame = on_frame, .ended = on_ended,
};

static void
on_limit(void *arg)
{
	(void)arg;
	loop_stop(loop, 1);
}

static void
on_turn(void *arg)
{
	(void)arg;
	if (is_over())
		loop_stop(loop, 0);
}

static void
who_breaks_the_protocol_ends(void **state)
{
	struct children_conf conf = { .program = program,
	    .deadline_ms = DEADLINE_MS };
	struct children *all = children_new(loop, &conf);
	struct timer *limit = timer_new(loop, on_limit, NULL);

	(void)state;
	timer_set(limit, 60000);
	loop_each_turn(loop, on_turn, NULL);
	for (size_t i = 0; i < COUNT(parts); i++)
		seen[i].child = child_keep(all, parts[i].role, &ops, &seen[i]);
	assert_int_equal(loop_run(loop), 0);
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (parts[i].why == NULL) {
			assert_int_equal(seen[i].ended, 0);
			assert_int_equal(seen[i].started, 1);
			assert_int_equal(child_pid(seen[i].child),
			    seen[i].pid);
			continue;
		}
		if (strcmp(seen[i].why, parts[i].why) != 0)
			fail_msg("%s: %s", parts[i].role, seen[i].why);
		assert_int_equal(seen[i].asked > 0,
		    parts[i].live == asks);
		assert_int_not_equal(child_pid(seen[i].child), seen[i].pid);
	}
	timer_free(limit);
	children_free(all);
}

/* How long each run lasts (by the clock), and the pause behind it. */
static const struct {
	int64_t lasts_ms, pause_ms;
} lives[] = {
	{ 0,		200 },
	{ 0,		400 },
	{ 0,		800 },
	{ 0,		1600 },
	{ 1000,		3200 },
	{ 0,		6400 },
	{ 59000,	12800 },
	{ 0,		25600 },
	{ 0,		30000 },
	{ 59000,	30000 },
	{ 60000,	200 },
	{ 0,		400 },
	{ 3600 * 1000,	200 },
};

static void
on_born(void *arg, struct child *c)
{
	unsigned *n = arg;

	skew_us += lives[*n].lasts_ms * 1000;
	assert_int_equal(kill(child_pid(c), SIGKILL), 0);
}

static void
on_dead(void *arg, struct child *c, const char *why, int64_t wait_ms)
{
	unsigned *n = arg;

	(void)c;
	(void)why;
	if (wait_ms != lives[*n].pause_ms)
		fail_msg("run %u: a pause of %lld ms", *n, (long long)wait_ms);
	if (++*n == COUNT(lives))
		loop_stop(loop, 0);
	skew_us += wait_ms * 1000;
}

static void
pauses_grow_until_one_is_healthy(void **state)
{
	static const struct child_ops mortal = {
		.started = on_born, .frame = on_frame, .ended = on_dead,
	};
	struct children_conf conf = { .program = program,
	    .deadline_ms = NEVER_MS };
	struct children *all = children_new(loop, &conf);
	struct child *c;
	unsigned n = 0;

	(void)state;
	c = child_keep(all, "good", &mortal, &n);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(n, COUNT(lives));
	assert_int_equal(child_restarts(c), COUNT(lives));
	children_free(all);
}

static void
on_late(void *arg, struct child *c, const char *why, int64_t wait_ms)
{
	(void)arg;
	(void)c;
	(void)wait_ms;
	assert_string_equal(why, "no answer within its deadline");
	loop_stop(loop, 0);
}

static void
another_deadline_holds_at_once(void **state)
{
	static const struct child_ops slow = {
		.started = on_started, .frame = on_frame, .ended = on_late,
	};
	struct children_conf conf = { .program = program,
	    .deadline_ms = NEVER_MS };
	struct children *all = children_new(loop, &conf);
	struct timer *limit = timer_new(loop, on_limit, NULL);
	struct seen s = { .started = 0 };

	(void)state;
	child_keep(all, "silent", &slow, &s);
	children_set_deadline(all, DEADLINE_MS);
	timer_set(limit, 60000);
	assert_int_equal(loop_run(loop), 0);
	timer_free(limit);
	children_free(all);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		/* The last one leaves its turns behind in the loop. */
		cmocka_unit_test(pauses_grow_until_one_is_healthy),
		cmocka_unit_test(another_deadline_holds_at_once),
		cmocka_unit_test(who_breaks_the_protocol_ends),
	};

	if (argc > 2 && strcmp(argv[1], "-R") == 0)
		return child_main(argv[2]);
	if (realpath(argv[0], program) == NULL)
		return 1;
	loop = loop_new();
	log_open(NULL, LOG_TO_SYSLOG, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
