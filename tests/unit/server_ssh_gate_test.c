#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/voucher.h"
#include "server/base/frame.h"
#include "server/base/mem.h"
#include "server/gate.h"
#include "server/proto.h"
#include "server/ssh_gate.h"
#include "virtual_time.h"

#define ASKS 8
#define PATIENCE_MS 20000

struct verdict {
	unsigned n;
	bool yes;
	char why[GATE_WHY], voucher[VOUCHER_TEXT];
	struct world *world;
};

/* The ssh process's end, and what the supervisor sees at the other. */
struct world {
	struct loop *loop;
	struct link *up;
	struct ssh_gate *gate;
	struct timer *limit;
	int down;
	unsigned asked;			/* requests that came */
	uint32_t requests[64];
	struct verdict verdicts[ASKS];
};

static int
on_frame(void *arg, struct frame *f, int fd)
{
	(void)arg;
	(void)f;
	(void)fd;
	return -1;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	fail_msg("%s", why);
}

static const struct link_ops link_ops = { .frame = on_frame,
    .down = on_down };

static void
on_limit(void *arg)
{
	struct world *w = arg;

	loop_stop(w->loop, 0);
}

static void
turn_for(struct world *w, int64_t ms)
{
	timer_set(w->limit, ms);
	loop_run(w->loop);
}

static void
on_verdict(void *arg, const struct ssh_gate_verdict *v)
{
	struct verdict *to = arg;

	to->n++;
	to->yes = v->yes;
	strcpy(to->why, v->why);
	strcpy(to->voucher, v->voucher);
	loop_stop(to->world->loop, 0);
}

static int
begin(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	w->loop = loop_new();
	w->limit = timer_new(w->loop, on_limit, w);
	w->up = link_new(w->loop, pair[0], 65536, &link_ops, w);
	w->down = pair[1];
	w->gate = ssh_gate_new(w->loop);
	ssh_gate_link(w->gate, w->up);
	for (size_t i = 0; i < ASKS; i++)
		w->verdicts[i].world = w;
	*state = w;
	return 0;
}

static int
end(void **state)
{
	struct world *w = *state;

	ssh_gate_free(w->gate);
	link_free(w->up);
	timer_free(w->limit);
	close(w->down);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* Requests that came since, each with a number above the last. */
static unsigned
requests(struct world *w)
{
	uint8_t b[4096];
	unsigned before = w->asked;
	size_t used, at = 0;
	struct frame f;
	ssize_t n;

	turn_for(w, 30);
	n = recv(w->down, b, sizeof(b), MSG_DONTWAIT);
	while (n > 0 && frame_parse(b + at, (size_t)n - at, &f, &used) == 1) {
		at += used;
		assert_int_equal(f.type, UP_GATE);
		w->requests[w->asked] = frame_u32(&f);
		assert_true(w->asked == 0 || w->requests[w->asked] >
		    w->requests[w->asked - 1]);
		w->asked++;
	}
	return w->asked - before;
}

static uint32_t
ask(struct world *w, size_t i, bool typed)
{
	struct ssh_proof proof = { (char[]){ "data" }, (char[]){ "" },
	    (char[]){ "sig" } };
	const struct ssh_gate_question q = { .user = typed ? "alice" : "",
	    .name = typed ? "alice" : "", .from = "192.0.2.1",
	    .code = typed ? "12345678" : NULL,
	    .proof = typed ? NULL : &proof };

	return ssh_gate_ask(w->gate, &q, on_verdict, &w->verdicts[i]);
}

/* The gate of this request: our end of it. */
static int
start_gate(struct world *w, uint32_t request)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ssh_gate_take(w->gate, request, pair[0]);
	return pair[1];
}

static void
say(int fd, bool yes, const char *why, const char *voucher)
{
	struct frame_out *o = xmalloc(sizeof(*o));

	frame_start(o, GT_ANSWER);
	frame_put_u8(o, yes);
	frame_put_str(o, why);
	frame_put_str(o, voucher);
	assert_int_equal(frame_finish(o, 0), 0);
	assert_int_equal(write(fd, o->block, o->len), (ssize_t)o->len);
	free(o);
}

static void
a_key_gets_its_voucher(void **state)
{
	struct world *w = *state;
	uint8_t b[1024];
	char text[64];
	struct frame f;
	size_t used;
	ssize_t n;
	int fd;

	ask(w, 0, false);
	assert_int_equal(requests(w), 1);
	fd = start_gate(w, w->requests[0]);
	n = recv(fd, b, sizeof(b), 0);
	assert_int_equal(frame_parse(b, (size_t)n, &f, &used), 1);
	assert_int_equal(f.type, GT_ASK);
	frame_str(&f, text, sizeof(text));
	assert_string_equal(text, "");
	frame_str(&f, text, sizeof(text));
	assert_string_equal(text, "192.0.2.1");
	say(fd, true, "", "abc");
	turn_for(w, PATIENCE_MS);
	assert_int_equal(w->verdicts[0].n, 1);
	assert_true(w->verdicts[0].yes);
	assert_string_equal(w->verdicts[0].voucher, "abc");
	close(fd);
}

/* However many guess, who has the key goes first. */
static void
who_guesses_does_not_keep_a_key_waiting(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 6; i++)
		ask(w, i, true);
	assert_int_equal(requests(w), GATES_MAX);
	ask(w, 6, false);
	assert_int_equal(requests(w), 1);
	ask(w, 7, false);
	assert_int_equal(requests(w), 1);
}

/* A no is told at once, and is no wrong guess. */
static void
a_keys_no_is_told_at_once(void **state)
{
	struct world *w = *state;
	int fd;

	for (unsigned i = 0; i <= SSH_GATE_WRONG; i++) {
		ask(w, 0, false);
		assert_int_equal(requests(w), 1);
		fd = start_gate(w, w->requests[i]);
		say(fd, false, "a wrong signature", "");
		turn_for(w, SSH_GATE_LEAST_MS / 2);
		assert_int_equal(w->verdicts[0].n, i + 1);
		assert_false(w->verdicts[0].yes);
		assert_string_equal(w->verdicts[0].why, "a wrong signature");
		close(fd);
		turn_for(w, 10);
	}
}

/* None could be started: a key is tried again, with another number. */
static void
a_key_is_tried_again(void **state)
{
	struct world *w = *state;
	unsigned tries = 0;
	int fd;

	ask(w, 0, false);
	assert_int_equal(requests(w), 1);
	while (tries < 3) {
		ssh_gate_take(w->gate, w->requests[w->asked - 1], -1);
		tries++;
		for (int i = 0; i < 600 && w->asked == tries; i++)
			requests(w);
		assert_int_equal(w->asked, tries + 1);
		assert_int_equal(w->verdicts[0].n, 0);
	}
	fd = start_gate(w, w->requests[w->asked - 1]);
	say(fd, true, "", "v");
	turn_for(w, PATIENCE_MS);
	assert_true(w->verdicts[0].yes);
	close(fd);
}

static void
one_that_is_gone_is_asked_no_more(void **state)
{
	struct world *w = *state;
	uint32_t id = ask(w, 0, false);
	char byte;
	int fd;

	assert_int_equal(requests(w), 1);
	ssh_gate_cancel(w->gate, id);
	fd = start_gate(w, w->requests[0]);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_int_equal(w->verdicts[0].n, 0);
	close(fd);
}

static void
a_gate_that_breaks_is_a_no(void **state)
{
	struct world *w = *state;
	int fd;

	ask(w, 0, false);
	assert_int_equal(requests(w), 1);
	fd = start_gate(w, w->requests[0]);
	assert_int_equal(write(fd, "\0\0\0\1\x08\2\0\0\1", 9), 9);
	turn_for(w, PATIENCE_MS);
	assert_int_equal(w->verdicts[0].n, 1);
	assert_false(w->verdicts[0].yes);
	assert_string_equal(w->verdicts[0].voucher, "");
	close(fd);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_key_gets_its_voucher),
		T(who_guesses_does_not_keep_a_key_waiting),
		T(a_keys_no_is_told_at_once),
		T(a_key_is_tried_again),
		T(one_that_is_gone_is_asked_no_more),
		T(a_gate_that_breaks_is_a_no),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
