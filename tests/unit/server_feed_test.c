#include "feed_help.h"
#include "virtual_time.h"

static void
says_hello(void **state)
{
	struct desk *d = *state;
	const struct feed_console *c;

	assert_int_equal(d->ups, 1);
	assert_string_equal(feed_box_name(d->feed), "box");
	assert_int_equal(feed_nconsoles(d->feed), 2);
	assert_string_equal(feed_console_at(d->feed, 1)->name, "sw");
	assert_null(feed_console_at(d->feed, 2));
	assert_null(feed_console_named(d->feed, "nn"));
	c = feed_console_named(d->feed, "gw");
	assert_true(c->up);
	assert_int_equal(c->speed, 57600);
	assert_string_equal(c->description, "a router");
	assert_string_equal(c->line, "57600 8N1 none");
	fake_console(d->k, 0, false);
	UNTIL(d->k, d->changes == 1);
	assert_false(feed_console_named(d->feed, "gw")->up);
}

static void
one_subscription(void **state)
{
	struct desk *d = *state;

	fake_says(d->k, 0, "before", 6);
	open_viewer(d, 0, "alice");
	open_viewer(d, 1, "bob");
	attach(d, 0, "gw");
	attach(d, 1, "gw");
	fake_says(d->k, 0, "hello", 5);
	UNTIL(d->k, d->v[0].ngot == 5 && d->v[1].ngot == 5);
	assert_memory_equal(d->v[0].got, "hello", 5);
	assert_stream(d, &d->v[1], 0);
	assert_non_null(strstr(d->k->log,
	    "open 1 alice/192.0.2.1/ssh/SHA256:x"));
	assert_ptr_equal(strstr(d->k->log, "subscribe"),
	    strstr(d->k->log, "subscribe 0 newest"));
	assert_null(strstr(strstr(d->k->log, "subscribe") + 1, "subscribe"));
	assert_true(feed_writes(d->v[0].fs));
	/* The last one gone, it is given up after a while. */
	feed_detach(d->v[0].fs);
	feed_detach(d->v[1].fs);
	assert_null(feed_attached(d->v[0].fs));
	fake_turn(d->k, 100);
	assert_null(strstr(d->k->log, "unsubscribe"));
	UNTIL(d->k, strstr(d->k->log, "unsubscribe 0") != NULL);
}

static void
notices_reach_whom_they_should(void **state)
{
	struct desk *d = *state;

	for (size_t i = 0; i < 3; i++)
		open_viewer(d, i, "alice");
	attach(d, 0, "gw");
	attach(d, 1, "gw");
	attach(d, 2, "sw");
	fake_notice(d->k, 0, 0, "to gw");
	fake_notice(d->k, 0xffff, 3, "to three");
	fake_notice(d->k, 0xffff, 99, "to nobody");
	UNTIL(d->k, d->v[2].notices[0] != '\0');
	assert_string_equal(d->v[0].notices, "to gw\n");
	assert_string_equal(d->v[1].notices, "to gw\n");
	assert_string_equal(d->v[2].notices, "to three\n");
}

static void
refusals(void **state)
{
	struct desk *d = *state;

	open_viewer(d, 0, "alice");
	feed_attach(d->v[0].fs, "nn", ATTACH_AUTO);
	assert_int_equal(d->v[0].nattached, 0);
	UNTIL(d->k, d->v[0].nattached == 1);
	assert_int_equal(d->v[0].status, ST_NO_CONSOLE);
	d->k->refuse = true;
	feed_attach(d->v[0].fs, "gw", ATTACH_FORCE);
	UNTIL(d->k, d->v[0].nattached == 2);
	assert_int_equal(d->v[0].status, ST_DENIED);
	assert_null(feed_attached(d->v[0].fs));
	assert_int_equal(feed_input(d->v[0].fs, "x", 1), 0);
}

static void
input_goes_by_credit(void **state)
{
	struct desk *d = *state;
	char block[FEED_INPUT_MAX] = { 0 };
	size_t first, room;

	open_viewer(d, 0, "alice");
	attach(d, 0, "gw");
	d->k->keep_credit = true;
	room = feed_input_room(d->v[0].fs);
	assert_true(feed_input_idle(d->v[0].fs));
	first = feed_input(d->v[0].fs, block, sizeof(block));
	assert_int_equal(first, room);
	assert_true(first > 8192 && first <= FEED_INPUT_MAX);
	assert_int_equal(feed_input(d->v[0].fs, block, 1), 0);
	assert_false(feed_input_idle(d->v[0].fs));
	UNTIL(d->k, d->k->ntyped == first);
	fake_credit(d->k, d->k->sid, 1000, false);
	d->k->uncredited -= 1000;
	UNTIL(d->k, d->v[0].credit == 1000);
	assert_int_equal(feed_input_room(d->v[0].fs), 1000);
	/* ^C needs no room. */
	feed_interrupt(d->v[0].fs);
	UNTIL(d->k, strstr(d->k->log, "interrupt") != NULL);
	fake_credit(d->k, d->k->sid, first - 1000, true);
	fake_credit(d->k, d->k->sid, 1, false);
	UNTIL(d->k, feed_input_idle(d->v[0].fs));
	assert_int_equal(d->v[0].dropped, first - 1000);
	/* A peer that credits too much does no harm. */
	fake_credit(d->k, d->k->sid, 100000, false);
	fake_turn(d->k, 5);
	assert_int_equal(feed_input_room(d->v[0].fs), room);
}

static void
survives_a_restart(void **state)
{
	struct desk *d = *state;

	for (size_t i = 0; i < 4; i++)
		open_viewer(d, i, "alice");
	attach(d, 0, "gw");
	d->k->watch = true;
	attach(d, 1, "gw");
	attach(d, 2, "gw");
	feed_pen(d->v[2].fs, PEN_WATCH);
	d->v[1].stopped = true;
	flood(d, 0, 40960);
	UNTIL(d->k, d->v[0].ngot == 40960);
	d->k->keep_credit = true;
	assert_int_equal(feed_input(d->v[0].fs, "typed", 5), 5);
	UNTIL(d->k, d->k->ntyped == 5);
	fake_dies(d->k);
	UNTIL(d->k, d->downs == 1);
	assert_int_equal(d->v[0].ndown, 1);
	assert_int_equal(d->v[0].dropped, 5);
	assert_int_equal(feed_input(d->v[0].fs, "x", 1), 0);
	flood(d, 0, 8192);
	d->k->watch = false;
	d->k->first_id = 7;		/* and every id is another */
	d->k->log[0] = '\0';
	feed_link(d->feed, fake_connect(d->k));
	UNTIL(d->k, d->v[0].ngot == 40960 + 8192);
	flood(d, 0, 4096);
	UNTIL(d->k, d->v[0].ngot == 40960 + 12288);
	assert_stream(d, &d->v[0], 0);
	d->v[1].stopped = false;
	take(&d->v[1], SIZE_MAX);
	assert_stream(d, &d->v[1], 0);
	assert_int_equal(d->v[0].nattached, 1);
	assert_int_equal(d->v[0].nup, 1);
	assert_int_equal(d->v[3].nup, 1);
	assert_non_null(strstr(d->k->log, "subscribe 0 41960"));
	assert_non_null(strstr(d->k->log, "attach 1 0 mode=3"));
	assert_non_null(strstr(d->k->log, "attach 2 0 mode=4"));
	assert_non_null(strstr(d->k->log, "attach 3 0 mode=5"));
	d->k->keep_credit = false;
	assert_int_equal(feed_input(d->v[0].fs, "y", 1), 1);
	UNTIL(d->k, d->k->ntyped == 6);
}

static void
console_gone_after_restart(void **state)
{
	struct desk *d = *state;

	open_viewer(d, 0, "alice");
	open_viewer(d, 1, "bob");
	attach(d, 0, "gw");
	attach(d, 1, "sw");
	fake_dies(d->k);
	UNTIL(d->k, d->downs == 1);
	d->k->nlines = 1;
	feed_link(d->feed, fake_connect(d->k));
	UNTIL(d->k, d->v[1].nended == 1);
	assert_int_equal(d->v[0].nended, 0);
	assert_int_equal(feed_nconsoles(d->feed), 1);
	assert_null(feed_console_named(d->feed, "sw"));
}

static void
pen_and_end(void **state)
{
	struct desk *d = *state;
	struct frame_out *o;

	open_viewer(d, 0, "alice");
	attach(d, 0, "gw");
	o = link_start(d->k->link, AN_PEN);
	frame_put_u32(o, d->k->sid);
	frame_put_u8(o, 0);
	frame_put_str(o, "bob took the pen");
	link_send(d->k->link);
	UNTIL(d->k, !d->v[0].writes);
	assert_string_equal(d->v[0].text, "bob took the pen");
	assert_false(feed_writes(d->v[0].fs));
	feed_break(d->v[0].fs);
	feed_note(d->v[0].fs, "hm");
	feed_record(d->v[0].fs);
	feed_pen(d->v[0].fs, PEN_TAKE);
	UNTIL(d->k, strstr(d->k->log, "break\nnote hm\nrecord\npen 1\n") !=
	    NULL);
	for (int i = 0; i < 2; i++) {
		o = link_start(d->k->link, AN_ENDED);
		frame_put_u32(o, d->k->sid);
		frame_put_str(o, "kicked by root");
		link_send(d->k->link);
	}
	UNTIL(d->k, d->v[0].nended > 0);
	fake_turn(d->k, 5);
	assert_int_equal(d->v[0].nended, 1);
	assert_string_equal(d->v[0].text, "kicked by root");
	assert_null(feed_attached(d->v[0].fs));
}

static void
stopped_viewer_is_lapped(void **state)
{
	struct desk *d = *state;
	struct viewer *v = &d->v[1];
	uint64_t before;
	const uint8_t *p;

	open_viewer(d, 0, "alice");
	open_viewer(d, 1, "bob");
	attach(d, 0, "gw");
	attach(d, 1, "gw");
	v->stopped = true;
	flood(d, 0, 8 << 20);
	UNTIL(d->k, d->v[0].ngot == 8 << 20);
	assert_stream(d, &d->v[0], 0);
	before = v->at;
	assert_true(feed_peek(v->fs, &v->at, &p) > 0);
	assert_true(v->at > before + (8 << 20) - FEED_RING_BYTES);
	v->stopped = false;
	take(v, SIZE_MAX);
	assert_true(v->ngot > 0 && v->ngot <= 4096);
	assert_memory_equal(v->got, d->k->lines[0].history + (8 << 20) -
	    v->ngot, v->ngot);
}

/* Slower than the source, but not slow: it holds the source back. */
static void
pace_is_kept(void **state)
{
	struct desk *d = *state;

	open_viewer(d, 0, "alice");
	open_viewer(d, 1, "bob");
	attach(d, 0, "gw");
	attach(d, 1, "gw");
	d->v[0].per_turn = 32768;
	d->v[0].timer = timer_new(d->k->loop, on_timer, &d->v[0]);
	timer_set(d->v[0].timer, 1);
	d->v[1].stopped = true;		/* and this one does not matter */
	flood(d, 0, 8 << 20);
	UNTIL(d->k, d->v[0].ngot == 8 << 20);
	assert_stream(d, &d->v[0], 0);
}

/* Slow for good: it is skipped, and delays nobody by more than 250 ms. */
static void
slow_viewer_does_not_hold(void **state)
{
	struct desk *d = *state;
	struct mono start;

	open_viewer(d, 0, "alice");
	open_viewer(d, 1, "bob");
	attach(d, 0, "gw");
	attach(d, 1, "gw");
	d->v[1].per_turn = 16;		/* 16 kB/s at best */
	d->v[1].timer = timer_new(d->k->loop, on_timer, &d->v[1]);
	timer_set(d->v[1].timer, 1);
	start = mono_now();
	flood(d, 0, 8 << 20);
	UNTIL(d->k, d->v[0].ngot == 8 << 20);
	assert_stream(d, &d->v[0], 0);
	assert_true(mono_ms(start, mono_now()) < 300);
	UNTIL(d->k, d->v[1].lost > 0);
}

static void
gap_is_seen(void **state)
{
	struct desk *d = *state;
	struct frame_out *o;

	open_viewer(d, 0, "alice");
	attach(d, 0, "gw");
	fake_says(d->k, 0, "abc", 3);
	UNTIL(d->k, d->v[0].ngot == 3);
	d->k->lines[0].subscribed = false;
	o = link_start(d->k->link, AN_GAP);
	frame_put_u16(o, 0);
	frame_put_u64(o, 1003);
	frame_put_u64(o, 5000);
	link_send(d->k->link);
	o = link_start(d->k->link, AN_DATA);
	frame_put_u16(o, 0);
	frame_put_u64(o, 5000);
	frame_put_bytes(o, "xyz", 3);
	link_send(d->k->link);
	/* The same again, and a bit more: only the bit is new. */
	o = link_start(d->k->link, AN_DATA);
	frame_put_u16(o, 0);
	frame_put_u64(o, 5001);
	frame_put_bytes(o, "yz!", 3);
	link_send(d->k->link);
	UNTIL(d->k, d->v[0].ngot == 7);
	assert_memory_equal(d->v[0].got, "abcxyz!", 7);
	assert_int_equal(d->v[0].lost, 5000 - 1003);
	/* The journal began anew. */
	o = link_start(d->k->link, AN_GAP);
	frame_put_u16(o, 0);
	frame_put_u64(o, 5004);
	frame_put_u64(o, 10);
	link_send(d->k->link);
	o = link_start(d->k->link, AN_DATA);
	frame_put_u16(o, 0);
	frame_put_u64(o, 10);
	frame_put_bytes(o, "new", 3);
	link_send(d->k->link);
	UNTIL(d->k, d->v[0].ngot == 10);
	assert_memory_equal(d->v[0].got, "abcxyz!new", 10);
	assert_int_equal(d->v[0].at, 13);
}

static void
other_version_and_nonsense(void **state)
{
	struct desk *d = *state;
	struct frame_out *o;
	char other[32];

	snprintf(other, sizeof(other), "version %d", PROTO_VERSION + 1);
	link_start(d->k->link, AN_CREDIT);	/* with no fields */
	link_send(d->k->link);
	open_viewer(d, 0, "alice");
	o = link_start(d->k->link, AN_PEN);
	frame_put_u32(o, 1);
	link_send(d->k->link);
	UNTIL(d->k, d->downs == 1);
	assert_string_equal(d->why, "bad frame");
	assert_false(feed_is_up(d->feed));
	d->k->mute = true;
	feed_link(d->feed, fake_connect(d->k));
	o = link_start(d->k->link, AN_WELCOME);
	frame_put_u16(o, PROTO_VERSION + 1);
	link_send(d->k->link);
	UNTIL(d->k, d->downs == 2);
	assert_non_null(strstr(d->why, other));
}

/* Closing inside a callback, and freeing with everything open. */
static void
on_data_close(void *arg)
{
	struct viewer *v = arg;

	v->ndata++;
	feed_close(v->fs);
	v->fs = NULL;
}

static void
closed_in_a_callback(void **state)
{
	static const struct feed_session_ops closing = {
		on_attached, on_pen, on_credit, on_notice, on_data_close,
		on_ended, on_link
	};
	const struct feed_user alice = { "alice", "", "", "", NULL };
	struct desk *d = *state;

	for (size_t i = 0; i < 3; i++) {
		d->v[i].feed = d->feed;
		d->v[i].fs = feed_open(d->feed, &alice, &closing, &d->v[i]);
	}
	open_viewer(d, 3, "bob");
	for (size_t i = 0; i < 3; i++) {
		feed_attach(d->v[i].fs, "gw", ATTACH_AUTO);
		UNTIL(d->k, d->v[i].nattached == 1 || d->v[i].fs == NULL);
	}
	attach(d, 3, "gw");
	fake_says(d->k, 0, "x", 1);
	UNTIL(d->k, d->v[3].ngot == 1);
	assert_null(d->v[0].fs);
	assert_null(d->v[2].fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AT_DESK(says_hello),
		AT_DESK(one_subscription),
		AT_DESK(notices_reach_whom_they_should),
		AT_DESK(refusals),
		AT_DESK(input_goes_by_credit),
		AT_DESK(survives_a_restart),
		AT_DESK(console_gone_after_restart),
		AT_DESK(pen_and_end),
		AT_DESK(stopped_viewer_is_lapped),
		AT_DESK(pace_is_kept),
		AT_DESK(slow_viewer_does_not_hold),
		AT_DESK(gap_is_seen),
		AT_DESK(other_version_and_nonsense),
		AT_DESK(closed_in_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
