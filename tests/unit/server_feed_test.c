#include "fake_console.h"
#include "server/feed.h"

#define TEXT 4096

struct viewer {
	struct feed_session *fs;
	struct feed *feed;
	struct timer *timer;		/* NULL: takes all at once */
	size_t per_turn;
	bool stopped;
	uint64_t at, start, lost;
	uint8_t *got;
	size_t ngot;
	int nattached, status, ndata, nended, nup, ndown, nroom;
	bool writes;
	size_t credit, dropped;
	char text[TEXT];		/* last attached, pen, ended text */
	char notices[TEXT];
};

struct desk {
	struct fake *k;
	struct feed *feed;
	int ups, downs, changes;
	char why[128];
	struct viewer v[4];
};

static void
on_up(void *arg)
{
	((struct desk *)arg)->ups++;
}

static void
on_down(void *arg, const char *why)
{
	struct desk *d = arg;

	d->downs++;
	snprintf(d->why, sizeof(d->why), "%s", why);
}

static void
on_consoles(void *arg)
{
	((struct desk *)arg)->changes++;
}

static const struct feed_ops feed_ops = { .up = on_up, .down = on_down,
    .consoles = on_consoles };

static void
take(struct viewer *v, size_t most)
{
	const uint8_t *p;
	size_t n;

	while (most > 0) {
		uint64_t before = v->at;

		n = feed_peek(v->fs, &v->at, &p);
		if (before != FEED_NEWEST && v->at > before)
			v->lost += v->at - before;
		if (before == FEED_NEWEST && v->at != before)
			v->start = v->at;
		if (n > most)
			n = most;
		if (n == 0)
			return;
		assert_true(v->ngot + n <= FAKE_HISTORY);
		memcpy(v->got + v->ngot, p, n);
		v->ngot += n;
		v->at += n;
		most -= n;
		feed_taken(v->fs, v->at);
	}
}

static void
on_timer(void *arg)
{
	struct viewer *v = arg;

	take(v, v->per_turn);
	timer_set(v->timer, 1);
}

static void
on_attached(void *arg, int status, bool writes, const char *text)
{
	struct viewer *v = arg;

	v->nattached++;
	v->status = status;
	v->writes = writes;
	v->at = v->start = feed_head(v->fs);
	snprintf(v->text, TEXT, "%s", text);
}

static void
on_pen(void *arg, bool writes, const char *text)
{
	struct viewer *v = arg;

	v->writes = writes;
	snprintf(v->text, TEXT, "%s", text);
}

static void
on_credit(void *arg, size_t n, bool dropped)
{
	struct viewer *v = arg;

	if (n == 0)
		v->nroom++;
	if (dropped)
		v->dropped += n;
	else
		v->credit += n;
}

static void
on_notice(void *arg, const char *text)
{
	struct viewer *v = arg;

	strncat(v->notices, text, TEXT - strlen(v->notices) - 2);
	strcat(v->notices, "\n");
}

static void
on_data(void *arg)
{
	struct viewer *v = arg;

	v->ndata++;
	if (!v->stopped && v->timer == NULL)
		take(v, SIZE_MAX);
}

static void
on_ended(void *arg, const char *why)
{
	struct viewer *v = arg;

	v->nended++;
	snprintf(v->text, TEXT, "%s", why);
}

static void
on_link(void *arg, bool up)
{
	struct viewer *v = arg;

	if (up)
		v->nup++;
	else
		v->ndown++;
}

static const struct feed_session_ops session_ops = {
	on_attached, on_pen, on_credit, on_notice, on_data, on_ended, on_link
};

static void
open_viewer(struct desk *d, size_t i, const char *user)
{
	const struct feed_user who = { user, "192.0.2.1", "ssh", "SHA256:x" };
	struct viewer *v = &d->v[i];

	v->feed = d->feed;
	if (v->got == NULL)
		v->got = malloc(FAKE_HISTORY);
	v->fs = feed_open(d->feed, &who, &session_ops, v);
}

static void
attach(struct desk *d, size_t i, const char *console)
{
	int before = d->v[i].nattached;

	feed_attach(d->v[i].fs, console, ATTACH_AUTO);
	UNTIL(d->k, d->v[i].nattached > before);
	assert_int_equal(d->v[i].status, ST_OK);
	/* The subscription is answered, too. */
	UNTIL(d->k, feed_head(d->v[i].fs) != FEED_NEWEST);
}

static int
set_up(void **state)
{
	static const char *const names[] = { "gw", "sw" };
	struct desk *d = calloc(1, sizeof(*d));

	d->k = fake_new(names, 2);
	d->feed = feed_new(d->k->loop, "test", &feed_ops, d);
	feed_link(d->feed, fake_connect(d->k));
	UNTIL(d->k, feed_is_up(d->feed));
	*state = d;
	return 0;
}

static int
tear_down(void **state)
{
	struct desk *d = *state;

	for (int i = 0; i < 4; i++) {
		feed_close(d->v[i].fs);
		timer_free(d->v[i].timer);
		free(d->v[i].got);
	}
	feed_free(d->feed);
	fake_free(d->k);
	free(d);
	return 0;
}

static void
assert_stream(const struct desk *d, const struct viewer *v, size_t line)
{
	const struct fake_line *l = &d->k->lines[line];

	assert_int_equal(v->lost, 0);
	assert_int_equal(v->start + v->ngot, l->head);
	assert_memory_equal(v->got, l->history + (v->start - l->base),
	    v->ngot);
}

/* Bytes that differ everywhere. */
static void
flood(struct desk *d, size_t line, size_t n)
{
	uint8_t block[4096];

	for (size_t done = 0; done < n; done += sizeof(block)) {
		for (size_t i = 0; i < sizeof(block); i += 8) {
			uint64_t at = (done + i) * 2654435761u;

			memcpy(block + i, &at, 8);
		}
		fake_says(d->k, line, block, sizeof(block));
	}
}

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
	assert_true(mono_ms(start, mono_now()) < 1500);
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

struct reply {
	struct feed_request *r;
	char out[2][TEXT];
	size_t total, most;	/* bytes taken; at most this many at once */
	int ended, status;
	uint64_t offset;
	bool cancel_in_end;
};

static size_t
on_out(void *arg, int stream, const void *p, size_t n)
{
	struct reply *y = arg;

	if (n > y->most)
		n = y->most;
	if (strlen(y->out[stream - 1]) + n < TEXT)
		strncat(y->out[stream - 1], p, n);
	y->total += n;
	return n;
}

static void
on_end(void *arg, int status, uint64_t offset)
{
	struct reply *y = arg;

	y->ended++;
	y->status = status;
	y->offset = offset;
	if (y->cancel_in_end) {
		feed_cancel(y->r);
		y->r = NULL;
	}
}

static const struct feed_request_ops request_ops = { on_out, on_end };

static void
run(struct desk *d, struct reply *y, const char *verb)
{
	char *argv[] = { (char *)(uintptr_t)verb, "x", NULL };
	const struct feed_run what = { d->v[0].fs, true, 80, 24, 2, argv };

	d->k->command[0] = '\0';
	y->r = feed_command(d->feed, &what, &request_ops, y);
	UNTIL(d->k, d->k->command[0] != '\0');
}

static void
requests_are_answered(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = SIZE_MAX, .cancel_in_end = true };

	open_viewer(d, 0, "alice");
	run(d, &y, "say");
	assert_non_null(strstr(d->k->log, "command sid=1 tty=1 80x24: say x"));
	fake_out(d->k->link, d->k->request, 1, "data", 4);
	fake_out(d->k->link, d->k->request, 2, "words", 5);
	fake_end(d->k->link, d->k->request, 3, 42);
	UNTIL(d->k, y.ended == 1);
	assert_string_equal(y.out[0], "data");
	assert_string_equal(y.out[1], "words");
	assert_int_equal(y.status, 3);
	assert_int_equal(y.offset, 42);
	/* To nobody: no harm. */
	fake_end(d->k->link, d->k->request, 3, 42);
	d->k->tail_text = "last line\n";
	y.r = feed_tail(d->feed, "sw", 20, true, &request_ops, &y);
	UNTIL(d->k, y.ended == 2);
	assert_non_null(strstr(d->k->log, "tail 1 lines=20 raw=1"));
	assert_int_equal(y.offset, 1001);
}

static void
slow_taker_gets_all(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = 3 };

	open_viewer(d, 0, "alice");
	run(d, &y, "list");
	fake_out(d->k->link, d->k->request, 1, "0123456789", 10);
	fake_out(d->k->link, d->k->request, 2, "abc", 3);
	fake_out(d->k->link, d->k->request, 1, "XYZ", 3);
	fake_end(d->k->link, d->k->request, 0, 0);
	fake_turn(d->k, 10);
	assert_string_equal(y.out[0], "012");
	assert_int_equal(y.ended, 0);
	y.most = 0;
	feed_request_more(y.r);
	assert_int_equal(y.ended, 0);
	y.most = 4;
	feed_request_more(y.r);
	assert_int_equal(y.ended, 1);
	assert_string_equal(y.out[0], "0123456789XYZ");
	assert_string_equal(y.out[1], "abc");
	feed_cancel(y.r);
}

static void
too_much_is_cut(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = 0 };
	char *block = calloc(1, 32768);

	open_viewer(d, 0, "alice");
	run(d, &y, "list");
	for (int i = 0; i < 40; i++) {
		fake_out(d->k->link, d->k->request, 1, block, 32768);
		link_flush(d->k->link);
		fake_turn(d->k, 2);
	}
	fake_end(d->k->link, d->k->request, 0, 0);
	fake_turn(d->k, 10);
	y.most = SIZE_MAX;
	feed_request_more(y.r);
	assert_int_equal(y.ended, 1);
	assert_int_equal(y.status, ST_FAILED);
	assert_true(y.total <= FEED_HELD_MAX);
	assert_true(y.total > FEED_HELD_MAX / 2);
	feed_cancel(y.r);
	free(block);
}

static void
link_lost_ends_requests(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = SIZE_MAX }, z = { .most = SIZE_MAX };
	char *argv[] = { "list", NULL };
	const struct feed_run what = { NULL, false, 0, 0, 1, argv };

	open_viewer(d, 0, "alice");
	run(d, &y, "list");
	fake_dies(d->k);
	UNTIL(d->k, y.ended == 1);
	assert_int_equal(y.status, ST_FAILED);
	assert_non_null(strstr(y.out[1], "oobd: "));
	feed_cancel(y.r);
	z.r = feed_command(d->feed, &what, &request_ops, &z);
	assert_int_equal(z.ended, 0);		/* from the loop, not here */
	UNTIL(d->k, z.ended == 1);
	assert_int_equal(z.status, ST_FAILED);
	feed_cancel(z.r);
}

static void
cancel_is_passed_on(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = SIZE_MAX };

	open_viewer(d, 0, "alice");
	run(d, &y, "log");
	feed_cancel(y.r);
	UNTIL(d->k, strstr(d->k->log, "cancel") != NULL);
	fake_out(d->k->link, d->k->request, 1, "late", 4);
	fake_end(d->k->link, d->k->request, 0, 0);
	fake_turn(d->k, 5);
	assert_int_equal(y.total, 0);
	assert_int_equal(y.ended, 0);
}

/* The other end of a reader's socket. */
struct reader {
	struct link *link;
	uint8_t keys[64];
	size_t nkeys;
	unsigned columns, rows;
	int downs;
};

static int
reader_frame(void *arg, struct frame *fr, int fd)
{
	struct reader *r = arg;
	size_t n;
	const uint8_t *p;

	assert_int_equal(fd, -1);
	if (fr->type == RD_SIZE) {
		r->columns = frame_u16(fr);
		r->rows = frame_u16(fr);
		return 0;
	}
	assert_int_equal(fr->type, RD_KEYS);
	p = frame_rest(fr, &n);
	memcpy(r->keys + r->nkeys, p, n);
	r->nkeys += n;
	return 0;
}

static void
reader_down(void *arg, const char *why)
{
	(void)why;
	((struct reader *)arg)->downs++;
}

static void
give_reader(struct desk *d, struct reader *r)
{
	static const struct link_ops ops = { reader_frame, reader_down, NULL };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	r->link = link_new(d->k->loop, sv[0], 1 << 20, &ops, r);
	frame_put_u32(link_start(d->k->link, AN_READER), d->k->request);
	link_send_fd(d->k->link, sv[1]);
	link_flush(d->k->link);
	close(sv[1]);
}

static void
reader_answers(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = SIZE_MAX };
	struct reader r = { .link = NULL };

	open_viewer(d, 0, "alice");
	run(d, &y, "replay");
	feed_request_size(y.r, 100, 50);	/* it is not there yet */
	give_reader(d, &r);
	UNTIL(d->k, r.columns == 100 && r.rows == 50);
	feed_request_keys(y.r, " q", 2);
	feed_request_size(y.r, 90, 40);
	UNTIL(d->k, r.nkeys == 2 && r.columns == 90);
	fake_out(r.link, 0, 1, "frame", 5);
	link_flush(r.link);
	UNTIL(d->k, y.total == 5);
	/* It outlives the console process. */
	fake_dies(d->k);
	UNTIL(d->k, d->downs == 1);
	fake_out(r.link, 0, 1, "more", 4);
	fake_end(r.link, 0, 0, 0);
	UNTIL(d->k, y.ended == 1);
	assert_int_equal(y.status, 0);
	assert_string_equal(y.out[0], "framemore");
	feed_cancel(y.r);
	link_free(r.link);
}

/* A reader that writes all and leaves, to someone who takes it slowly. */
static void
reader_leaves_early(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = 0 };
	struct reader r = { .link = NULL };
	char line[16];

	open_viewer(d, 0, "alice");
	run(d, &y, "log");
	give_reader(d, &r);
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "%07d\n", i);
		fake_out(r.link, 0, 1, line, 8);
	}
	fake_end(r.link, 0, 0, 0);
	UNTIL(d->k, link_queued(r.link) == 0);
	link_free(r.link);
	fake_turn(d->k, 20);
	assert_int_equal(y.ended, 0);
	y.most = 100;
	for (int i = 0; i < 2000 && !y.ended; i++) {
		feed_request_more(y.r);
		fake_turn(d->k, 1);
	}
	assert_int_equal(y.status, ST_OK);
	assert_int_equal(y.total, 8000);
	feed_cancel(y.r);
}

static void
reader_dies(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = SIZE_MAX };
	struct reader r = { .link = NULL };

	open_viewer(d, 0, "alice");
	run(d, &y, "log");
	give_reader(d, &r);
	fake_turn(d->k, 5);
	link_free(r.link);
	UNTIL(d->k, y.ended == 1);
	assert_int_equal(y.status, ST_FAILED);
	assert_non_null(strstr(y.out[1], "reader"));
	feed_cancel(y.r);
	/* Cancelled: the reader sees its end. */
	r.downs = 0;
	run(d, &y, "log");
	give_reader(d, &r);
	fake_turn(d->k, 5);
	feed_cancel(y.r);
	UNTIL(d->k, r.downs == 1);
	link_free(r.link);
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
	const struct feed_user alice = { "alice", "", "", "" };
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

#define AT_DESK(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

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
		AT_DESK(requests_are_answered),
		AT_DESK(slow_taker_gets_all),
		AT_DESK(too_much_is_cut),
		AT_DESK(link_lost_ends_requests),
		AT_DESK(cancel_is_passed_on),
		AT_DESK(reader_answers),
		AT_DESK(reader_leaves_early),
		AT_DESK(reader_dies),
		AT_DESK(other_version_and_nonsense),
		AT_DESK(closed_in_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
