#include "session_help.h"
#include "virtual_time.h"

/* Output to someone who reads slowly: all of it, in order. */
static void
slow_reader_of_a_verb(void **state)
{
	struct term *t = *state;
	char line[32];

	t->room = 0;
	open_session(t, true, 5);
	session_start_exec(t->s, "list", NULL);
	UNTIL(t->k, strcmp(t->k->command, "list") == 0);
	for (int i = 0; i < 500; i++) {
		snprintf(line, sizeof(line), "line %03d\n", i);
		fake_out(t->k->link, t->k->request, 1, line, strlen(line));
	}
	fake_end(t->k->link, t->k->request, 0, 0);
	for (int i = 0; i < 4000 && !t->done; i++) {
		t->room = 7;
		t->wanted = true;
		fake_turn(t->k, 0);
	}
	assert_int_equal(t->done, 1);
	assert_int_equal(buf_len(t->out[0]), 500 * 10);
	assert_true(says(t, 1, "line 000\r\nline 001\r\n"));
	assert_true(says(t, 1, "line 499\r\n"));
}

static void
skips_and_says_so(void **state)
{
	struct term *t = *state;
	char *block = malloc(1 << 20);

	shell(t);
	t->room = 0;
	memset(block, '.', 1 << 20);
	memcpy(block + (1 << 20) - 9, "\nprompt> ", 9);
	fake_says(t->k, 0, block, 1 << 20);
	fake_turn(t->k, 600);
	UNTIL(t->k, t->k->lines[0].sent == t->k->lines[0].head);
	fake_turn(t->k, 20);
	forget(t);
	t->room = SIZE_MAX;
	t->wanted = true;
	UNTIL(t->k, says(t, 1, "prompt> "));
	assert_true(says(t, 1, "[oobd: 1,048,568 bytes skipped, ^Ecr shows "
	    "the last lines]\r\nprompt> "));
	free(block);
}

/* Typing at a screen that is seconds old brings the newest. */
static void
typing_catches_up(void **state)
{
	struct term *t = *state;
	char *block = malloc(100000);

	shell(t);
	forget(t);
	t->room = 100;
	memset(block, '.', 100000);
	memcpy(block + 100000 - 6, "\nnow> ", 6);
	fake_says(t->k, 0, block, 100000);
	UNTIL(t->k, t->room == 0);
	type(t, "x");			/* too soon to give up on it */
	UNTIL(t->k, typed_is(t, "x"));
	fake_turn(t->k, 2200);
	type(t, "y");
	t->room = SIZE_MAX;
	UNTIL(t->k, says(t, 1, "now> "));
	assert_true(says(t, 1, "bytes skipped"));
	assert_true(buf_len(t->out[0]) < 6000);
	free(block);
}

static void
paste_and_interrupt(void **state)
{
	struct term *t = *state;
	size_t n = 1 << 20, before;
	char *block = malloc(n);

	for (size_t i = 0; i < n; i++)
		block[i] = (char)('a' + i % 26);
	shell(t);
	/* All of it, in order. */
	type_n(t, block, n);
	UNTIL(t->k, t->k->ntyped == n);
	assert_memory_equal(t->k->typed, block, n);
	/* Again, to a line that takes nothing: ^C throws it away. */
	t->k->keep_credit = true;
	type_n(t, block, n);
	UNTIL(t->k, buf_len(t->held) == 0);
	type(t, "\003");
	UNTIL(t->k, strstr(t->k->log, "interrupt") != NULL);
	before = t->k->ntyped;
	assert_true(before < n + 17000);
	t->k->keep_credit = false;
	fake_credit(t->k, t->k->sid, t->k->uncredited, true);
	t->k->uncredited = 0;
	fake_credit(t->k, t->k->sid, 1, false);
	type(t, "ls\r");
	UNTIL(t->k, t->k->ntyped == before + 3);
	assert_memory_equal(t->k->typed + before, "ls\r", 3);
	/* With nothing waiting it is a byte like any other. */
	type(t, "a\003b");
	UNTIL(t->k, t->k->ntyped == before + 6);
	assert_memory_equal(t->k->typed + before, "ls\ra\003b", 6);
	free(block);
}

/* ^C while the console process is away: it is kept, the paste is not. */
static void
interrupt_while_away(void **state)
{
	struct term *t = *state;
	char block[60000];
	size_t before;

	memset(block, 'x', sizeof(block));
	for (int by_signal = 0; by_signal < 2; by_signal++) {
		shell(t);
		t->k->keep_credit = true;
		before = t->k->ntyped;
		type_n(t, block, sizeof(block));
		UNTIL(t->k, t->k->ntyped > before + 10000);
		fake_turn(t->k, 5);
		before = t->k->ntyped;
		fake_dies(t->k);
		UNTIL(t->k, !feed_is_up(t->feed));
		if (by_signal)
			session_signal(t->s, "INT");
		else
			type(t, "\003");
		fake_turn(t->k, 5);
		type(t, "after");
		t->k->keep_credit = false;
		feed_link(t->feed, fake_connect(t->k));
		UNTIL(t->k, t->k->ntyped >= before + 6);
		fake_turn(t->k, 5);
		assert_int_equal(t->k->ntyped, before + 6);
		assert_memory_equal(t->k->typed + before, "\003after", 6);
		session_free(t->s);
		t->s = NULL;
		forget(t);
	}
}

static void
paste_and_leave(void **state)
{
	struct term *t = *state;
	char *block = malloc(500000);

	shell(t);
	t->k->keep_credit = true;
	memset(block, 'x', 500000);
	type_n(t, block, 500000);
	type(t, E ".");
	UNTIL(t->k, t->done == 1);
	assert_true(t->k->ntyped < 20000);
	free(block);
}

static void
console_process_restarts(void **state)
{
	struct term *t = *state;

	shell(t);
	fake_says(t->k, 0, "one ", 4);
	UNTIL(t->k, says(t, 1, "one "));
	forget(t);
	fake_dies(t->k);
	fake_says(t->k, 0, "two ", 4);
	fake_turn(t->k, 20);
	type(t, "typed meanwhile");
	feed_link(t->feed, fake_connect(t->k));
	UNTIL(t->k, says(t, 1, "two "));
	fake_says(t->k, 0, "three", 5);
	UNTIL(t->k, says(t, 1, "three"));
	assert_string_equal(text(t, 1), "two three");
	UNTIL(t->k, typed_is(t, "typed meanwhile"));
	/* One that takes its time is told. */
	forget(t);
	fake_dies(t->k);
	UNTIL(t->k, says(t, 1, "the console process is away"));
	feed_link(t->feed, fake_connect(t->k));
	UNTIL(t->k, says(t, 1, "the console process is back"));
}

static void
waits_for_the_console_process(void **state)
{
	struct term *t = *state;

	UNTIL(t->k, feed_is_up(t->feed));
	fake_dies(t->k);
	UNTIL(t->k, !feed_is_up(t->feed));
	open_session(t, true, 5);
	session_start_shell(t->s, "gw");
	fake_turn(t->k, 20);
	feed_link(t->feed, fake_connect(t->k));
	UNTIL(t->k, says(t, 1, "[oobd: gw: "));
}

static void
kicked(void **state)
{
	struct term *t = *state;
	struct frame_out *o;

	shell(t);
	o = link_start(t->k->link, AN_ENDED);
	frame_put_u32(o, t->k->sid);
	frame_put_str(o, "kicked by root");
	link_send(t->k->link);
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_FAILED);
	assert_true(says(t, 1, "[oobd: kicked by root]\r\n"));
}

/* Notices to someone who never reads are bounded, and counted. */
static void
too_many_notices(void **state)
{
	struct term *t = *state;
	char long_text[1001];

	shell(t);
	forget(t);
	t->room = 0;
	memset(long_text, 'n', 1000);
	long_text[1000] = '\0';
	for (int i = 0; i < 200; i++)
		fake_notice(t->k, 0, 0, long_text);
	UNTIL(t->k, link_queued(t->k->link) == 0);
	fake_turn(t->k, 50);
	t->room = SIZE_MAX;
	t->wanted = true;
	UNTIL(t->k, says(t, 1, "messages were left out here]"));
	assert_in_range(buf_len(t->out[0]), 60000, 70000);
}

/* Cut off: how far he has seen it. */
static void
cut_off(void **state)
{
	struct term *t = *state;

	shell(t);
	fake_says(t->k, 0, "seen by alice\n", 14);
	UNTIL(t->k, says(t, 1, "seen by alice"));
	session_lost(t->s, false);
	session_free(t->s);
	t->s = NULL;
	UNTIL(t->k, noted(t, " 14 cut\n"));
	assert_false(noted(t, "left"));
}

/* What was sent to a client after it was last heard is not seen. */
static void
cut_off_in_silence(void **state)
{
	struct term *t = *state;

	shell(t);
	fake_says(t->k, 0, "seen", 4);
	UNTIL(t->k, says(t, 1, "seen"));
	session_heard(t->s);
	fake_says(t->k, 0, "into the void", 13);
	UNTIL(t->k, says(t, 1, "into the void"));
	session_lost(t->s, true);
	session_free(t->s);
	t->s = NULL;
	UNTIL(t->k, noted(t, " 4 cut\n"));
}

/* Never heard since he came, when there was nothing to tell him. */
static void
cut_off_unheard(void **state)
{
	struct term *t = *state;

	shell(t);
	UNTIL(t->k, noted(t, " 0 here\n"));
	fake_says(t->k, 0, "into the void", 13);
	UNTIL(t->k, says(t, 1, "into the void"));
	session_lost(t->s, true);
	session_free(t->s);
	t->s = NULL;
	UNTIL(t->k, noted(t, " 0 cut\n"));
}

/*
 * He was told what he missed, and was gone before he could read it: he has
 * still missed it.  The first sign of him says that he has not.
 */
static void
told_unheard(void **state)
{
	struct term *t = *state;

	t->k->digest = "12 new lines since you were here\n";
	for (int heard = 0; heard < 2; heard++) {
		shell(t);
		UNTIL(t->k, says(t, 1, "12 new lines"));
		fake_says(t->k, 0, "into the void", 13);
		UNTIL(t->k, says(t, 1, "into the void"));
		assert_false(noted(t, "seen"));
		if (heard)
			session_heard(t->s);
		session_lost(t->s, true);
		session_free(t->s);
		t->s = NULL;
		UNTIL(t->k, noted(t, heard ? "close 2\n" : "close 1\n"));
		assert_int_equal(noted(t, " 26 here\n"), heard);
		assert_int_equal(noted(t, " 26 cut\n"), heard);
		assert_false(noted(t, " 13 "));
		forget(t);
	}
}

/* Who leaves has seen all that he wanted to. */
static void
leaves(void **state)
{
	struct term *t = *state;

	shell(t);
	fake_says(t->k, 0, "seen", 4);
	UNTIL(t->k, says(t, 1, "seen"));
	type(t, "\5c.");
	UNTIL(t->k, t->done > 0);
	assert_true(noted(t, " 4 left\n"));
	session_lost(t->s, false);
	session_free(t->s);
	t->s = NULL;
	fake_turn(t->k, 3);
	assert_false(noted(t, "cut"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TERM(slow_reader_of_a_verb),
		ON_TERM(skips_and_says_so),
		ON_TERM(typing_catches_up),
		ON_TERM(paste_and_interrupt),
		ON_TERM(interrupt_while_away),
		ON_TERM(paste_and_leave),
		ON_TERM(console_process_restarts),
		ON_TERM(waits_for_the_console_process),
		ON_TERM(kicked),
		ON_TERM(cut_off),
		ON_TERM(cut_off_in_silence),
		ON_TERM(cut_off_unheard),
		ON_TERM(told_unheard),
		ON_TERM(leaves),
		ON_TERM(too_many_notices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
