/*
 * session_help: a transport that remembers, and the session on it, with a
 * fake console process.
 */
#ifndef TESTS_SESSION_HELP_H
#define TESTS_SESSION_HELP_H

#include "fake_console.h"
#include "server/base/buf.h"
#include "server/session.h"

#define OUT_MAX (4 << 20)
#define E "\005c"

/* A transport that remembers, and the session on it. */
struct term {
	struct fake *k;
	struct feed *feed;
	struct session *s;
	struct buf *out[2];
	struct buf *held;		/* input the session did not take */
	size_t room;			/* SIZE_MAX: any */
	bool pumping, wanted, eof, eof_told;
	int done, status;
};

static inline size_t
on_room(void *arg)
{
	struct term *t = arg;

	return t->pumping ? t->room : 0;
}

static inline size_t
on_write(void *arg, int stream, const void *p, size_t n)
{
	struct term *t = arg;

	assert_true(t->pumping);
	assert_true(n <= t->room);
	assert_int_equal(t->done, 0);
	if (t->room != SIZE_MAX)
		t->room -= n;
	assert_int_equal(buf_add(t->out[stream - 1], p, n), 0);
	return n;
}

static inline void
on_wants_pump(void *arg)
{
	((struct term *)arg)->wanted = true;
}

static inline void
on_done(void *arg, int status)
{
	struct term *t = arg;

	t->done++;
	t->status = status;
}

static const struct session_ops ops = {
	on_room, on_write, on_wants_pump, on_done, NULL
};

static inline void
each_turn(void *arg)
{
	struct term *t = arg;
	size_t n;
	int again = 0;

	while (t->s != NULL && t->wanted && !t->done) {
		assert_true(again++ < 1000);	/* it must not spin */
		t->wanted = false;
		n = buf_len(t->held);
		if (n > 0)
			buf_drop(t->held, session_input(t->s,
			    buf_data(t->held), n));
		if (t->eof && !t->eof_told && buf_len(t->held) == 0) {
			t->eof_told = true;
			session_eof(t->s);
		}
		t->pumping = true;
		session_pump(t->s);
		t->pumping = false;
	}
}

static inline void
on_up(void *arg)
{
	(void)arg;
}

static inline void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static const struct feed_ops feed_ops = { .up = on_up, .down = on_down,
    .consoles = on_up };

static inline int
set_up(void **state)
{
	static const char *const names[] = { "gw", "sw" };
	struct term *t = calloc(1, sizeof(*t));

	t->k = fake_new(names, 2);
	t->feed = feed_new(t->k->loop, "test", &feed_ops, t);
	feed_link(t->feed, fake_connect(t->k));
	t->out[0] = buf_new(OUT_MAX);
	t->out[1] = buf_new(OUT_MAX);
	t->held = buf_new(OUT_MAX);
	t->room = SIZE_MAX;
	loop_each_turn(t->k->loop, each_turn, t);
	*state = t;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct term *t = *state;

	session_free(t->s);
	t->s = NULL;
	feed_free(t->feed);
	fake_free(t->k);
	buf_free(t->out[0]);
	buf_free(t->out[1]);
	buf_free(t->held);
	free(t);
	return 0;
}

static inline void
open_session(struct term *t, bool terminal, int escape)
{
	const struct session_user user = {
		"alice", "192.0.2.1", "ssh", "", NULL, escape
	};

	t->s = session_new(t->k->loop, t->feed, &user, &ops, t);
	if (terminal)
		session_terminal(t->s, 80, 24);
}

static inline const char *
text(struct term *t, int stream)
{
	/* Terminated for strstr; the buf itself is not changed. */
	static char copy[OUT_MAX + 1];
	size_t n = buf_len(t->out[stream - 1]);

	memcpy(copy, buf_data(t->out[stream - 1]), n);
	copy[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (copy[i] == '\0')
			copy[i] = '@';
	}
	return copy;
}

static inline bool
says(struct term *t, int stream, const char *part)
{
	return strstr(text(t, stream), part) != NULL;
}

static inline void
forget(struct term *t)
{
	buf_clear(t->out[0]);
	buf_clear(t->out[1]);
}

static inline void
type_n(struct term *t, const void *p, size_t n)
{
	assert_int_equal(buf_add(t->held, p, n), 0);
	t->wanted = true;
}

static inline void
type(struct term *t, const char *keys)
{
	type_n(t, keys, strlen(keys));
}

static inline void
eof(struct term *t)
{
	t->eof = t->wanted = true;
}

static inline bool
typed_is(struct term *t, const char *what)
{
	return t->k->ntyped == strlen(what) &&
	    memcmp(t->k->typed, what, t->k->ntyped) == 0;
}

/* Answer the last command. */
static inline void
answer(struct term *t, const char *out, int status)
{
	fake_out(t->k->link, t->k->request, 1, out, strlen(out));
	fake_end(t->k->link, t->k->request, status, 0);
	t->k->command[0] = '\0';
}

static inline void
shell(struct term *t)
{
	open_session(t, true, 5);
	session_start_shell(t->s, "gw");
	UNTIL(t->k, says(t, 1, "? for help]\r\n"));
	UNTIL(t->k, strstr(t->k->log, "subscribe") != NULL);
	fake_turn(t->k, 3);
}

static inline bool
noted(struct term *t, const char *what)
{
	return strstr(t->k->log, what) != NULL;
}

#define ON_TERM(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

#endif
