#include "feed_help.h"
#include "virtual_time.h"

struct reply {
	struct feed_request *r;
	char out[2][TEXT];
	size_t total, most;	/* bytes taken; at most this many at once */
	int ended, status, torn;
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

static void
on_torn(void *arg)
{
	((struct reply *)arg)->torn++;
}

static const struct feed_request_ops request_ops = { on_out, on_end, on_torn };

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
	fake_reader(d->k, sv[1]);
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
	/* It outlives the console process; the next one is told of it. */
	fake_dies(d->k);
	UNTIL(d->k, d->downs == 1);
	feed_link(d->feed, fake_connect(d->k));
	UNTIL(d->k, strstr(d->k->log, "reads sid=1: gw\n") != NULL);
	fake_out(r.link, 0, 1, "more", 4);
	fake_end(r.link, 0, 0, 0);
	UNTIL(d->k, y.ended == 1);
	assert_int_equal(y.status, 0);
	assert_int_equal(y.torn, 0);
	assert_string_equal(y.out[0], "framemore");
	/* And that it has ended. */
	assert_null(strstr(d->k->log, "cancel"));
	feed_cancel(y.r);
	UNTIL(d->k, strstr(d->k->log, "cancel") != NULL);
	link_free(r.link);
}

/* The console process ends it: what it said until then, and no more. */
static void
reader_is_taken_away(void **state)
{
	struct desk *d = *state;
	struct reply y = { .most = 3 };
	struct reader r = { .link = NULL };

	open_viewer(d, 0, "alice");
	run(d, &y, "log");
	give_reader(d, &r);
	fake_out(r.link, 0, 1, "before", 6);
	link_flush(r.link);
	UNTIL(d->k, y.total == 3);
	assert_false(feed_request_is_over(y.r));
	fake_out(d->k->link, d->k->request, 2, "no more", 7);
	fake_end(d->k->link, d->k->request, ST_DENIED, 0);
	UNTIL(d->k, r.downs == 1);
	assert_int_equal(y.torn, 1);
	assert_int_equal(y.ended, 0);
	assert_true(feed_request_is_over(y.r));
	y.most = SIZE_MAX;
	feed_request_more(y.r);
	assert_int_equal(y.ended, 1);
	assert_int_equal(y.status, ST_DENIED);
	assert_string_equal(y.out[0], "before");
	assert_string_equal(y.out[1], "no more");
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
	assert_int_equal(y.torn, 0);
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
	assert_int_equal(y.torn, 1);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AT_DESK(requests_are_answered),
		AT_DESK(slow_taker_gets_all),
		AT_DESK(too_much_is_cut),
		AT_DESK(link_lost_ends_requests),
		AT_DESK(cancel_is_passed_on),
		AT_DESK(reader_answers),
		AT_DESK(reader_is_taken_away),
		AT_DESK(reader_leaves_early),
		AT_DESK(reader_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
