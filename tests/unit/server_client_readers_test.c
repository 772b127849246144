/*
 * Readers on their way: what is asked of the supervisor once the files have
 * everything, in the order of the requests.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "serial/scribe.h"
#include "tests/world.h"

static void test_flush(struct scribe *, void (*)(void *), void *);

#define scribe_flush test_flush
#include "server/client_readers.c"

#define FLUSHES 8

static struct {
	struct loop *loop;
	struct console console;
	struct client client;
	struct guest guest;
	int supervisor;
	struct {
		void (*fn)(void *);
		void *arg;
	} flushes[FLUSHES];
	size_t nflushes, nflushed;
} w;

static const struct link_ops up_ops = { .frame = world_refuse,
    .down = world_down };

static void
test_flush(struct scribe *scribe, void (*fn)(void *), void *arg)
{
	assert_null(scribe);
	assert_true(w.nflushes < FLUSHES);
	w.flushes[w.nflushes].fn = fn;
	w.flushes[w.nflushes++].arg = arg;
}

/* All that there was at the time of the next request is in the files. */
static void
flushed(void)
{
	assert_true(w.nflushed < w.nflushes);
	w.flushes[w.nflushed].fn(w.flushes[w.nflushed].arg);
	w.nflushed++;
}

static int
begin(void **state)
{
	int pair[2];

	(void)state;
	memset(&w, 0, sizeof(w));
	world_pair(pair);
	w.loop = loop_new();
	w.supervisor = pair[1];
	w.console.loop = w.loop;
	w.console.up = link_new(w.loop, pair[0], 65536, &up_ops, NULL);
	w.console.clients = &w.client;
	w.client.console = &w.console;
	w.guest.client = &w.client;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	client_forget_readers(&w.client);
	link_free(w.console.up);
	loop_free(w.loop);
	close(w.supervisor);
	return 0;
}

static void
request(uint32_t number, const char *console)
{
	const struct answer a = { .console = &w.console, .client = &w.client,
	    .guest = &w.guest, .request = number, .columns = 80 };
	char *argv[] = { (char[]){ "log" }, (char *)(uintptr_t)console };

	answer_reader(&a, 2, argv);
}

/* The supervisor is asked for one of this console, or nothing. */
static void
asked_for(const char *console)
{
	uint8_t in[4096];
	char word[64];
	struct frame f;
	size_t used, n = world_receive(w.supervisor, in, sizeof(in), NULL);

	if (console == NULL) {
		assert_int_equal(n, 0);
		return;
	}
	assert_int_equal(frame_parse(in, n, &f, &used), 1);
	assert_int_equal(used, n);
	assert_int_equal(f.type, UP_READER);
	assert_int_not_equal(frame_u32(&f), 0);
	assert_int_equal(frame_u8(&f), 0);
	assert_int_equal(frame_u16(&f), 80);
	assert_int_equal(frame_u16(&f), 0);
	assert_int_equal(frame_u8(&f), 2);
	frame_str(&f, word, sizeof(word));
	assert_string_equal(word, "log");
	frame_str(&f, word, sizeof(word));
	assert_string_equal(word, console);
	assert_true(frame_ok(&f));
}

static void
each_in_its_turn(void **state)
{
	(void)state;
	request(1, "gw");
	request(2, "sw");
	asked_for(NULL);
	flushed();
	asked_for("gw");
	request(3, "ap");
	flushed();
	asked_for("sw");
	flushed();
	asked_for("ap");
}

/* One that was given up is not asked for; the others are, each once. */
static void
given_up(void **state)
{
	(void)state;
	request(1, "gw");
	request(2, "sw");
	request(3, "ap");
	client_cancel_reader(&w.client, 2);
	flushed();
	asked_for("gw");
	flushed();
	asked_for(NULL);
	flushed();
	asked_for("ap");
}

/* The end comes first: nothing is left behind, as a sanitizer sees. */
static void
never_flushed(void **state)
{
	(void)state;
	request(1, "gw");
	request(2, "sw");
	assert_int_equal(w.nflushes, 2);
	asked_for(NULL);
	memset(w.flushes, 0, sizeof(w.flushes));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_in_its_turn, begin, end),
		cmocka_unit_test_setup_teardown(given_up, begin, end),
		cmocka_unit_test_setup_teardown(never_flushed, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
