#include "session_help.h"
#include "virtual_time.h"

/* A terminal as it was, and on a new line. */
#define RESCUE "\x0f\x1b(B\x1b)B\x1b[m\x1b[4l\x1b[?7h\x1b[?25h\x1b" "7\x1b[r" \
    "\x1b" "8\x1b[?1049l\r\n"

/* All 256 values, both ways, and nothing else on stdout. */
static void
stream_is_exact(void **state)
{
	struct term *t = *state;
	uint8_t all[256 * 40];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i + i / 256);
	open_session(t, false, 5);
	session_start_stream(t->s, "gw");
	UNTIL(t->k, says(t, 2, "oobd: gw: you have the pen\n"));
	fake_says(t->k, 0, all, sizeof(all));
	type_n(t, all, sizeof(all));
	UNTIL(t->k, t->k->ntyped == sizeof(all));
	assert_memory_equal(t->k->typed, all, sizeof(all));
	UNTIL(t->k, buf_len(t->out[0]) == sizeof(all));
	assert_memory_equal(buf_data(t->out[0]), all, sizeof(all));
	fake_notice(t->k, 0, 0, "^Ecf takes it");
	UNTIL(t->k, says(t, 2, "oobd: ^Ecf takes it\n"));
	assert_int_equal(buf_len(t->out[0]), sizeof(all));
	assert_null(strstr(t->k->log, "interrupt"));
}

static void
stream_ends_when_quiet(void **state)
{
	struct term *t = *state;
	struct mono said;

	open_session(t, false, 5);
	session_start_stream(t->s, "gw");
	type(t, "show version\r");
	eof(t);			/* long before it is attached */
	UNTIL(t->k, typed_is(t, "show version\r"));
	fake_turn(t->k, 700);
	fake_says(t->k, 0, "1.0", 3);
	said = mono_now();
	UNTIL(t->k, t->done == 1);
	assert_in_range(mono_ms(said, mono_now()), 900, 1800);
	assert_int_equal(t->status, ST_OK);
	assert_string_equal(text(t, 1), "1.0");
}

static void
stream_waits_for_the_line(void **state)
{
	struct term *t = *state;

	t->k->keep_credit = true;
	open_session(t, false, 5);
	session_start_stream(t->s, "gw");
	type(t, "x");
	eof(t);
	UNTIL(t->k, typed_is(t, "x"));
	fake_turn(t->k, 1500);
	assert_int_equal(t->done, 0);
	/* The line was down: the exit status says so. */
	fake_console(t->k, 0, false);
	fake_credit(t->k, t->k->sid, 1, true);
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_DOWN);
}

static void
silent_stream_watches(void **state)
{
	struct term *t = *state;

	open_session(t, false, 5);
	eof(t);
	session_start_stream(t->s, "gw");
	UNTIL(t->k, strstr(t->k->log, "pen 2") != NULL);
	fake_turn(t->k, 1300);
	assert_int_equal(t->done, 0);
	fake_says(t->k, 0, "boot", 4);
	UNTIL(t->k, says(t, 1, "boot"));
	session_signal(t->s, "TERM");
	UNTIL(t->k, t->done == 1);
}

static void
attach_options_and_tail(void **state)
{
	struct term *t = *state;

	t->k->tail_text = "last\r\nlines";
	t->k->tail_end = 1010;		/* 2 bytes more than were sent yet */
	fake_says(t->k, 0, "12345678", 8);
	open_session(t, false, 5);
	session_start_exec(t->s, "attach --ro --tail 7 gw", "sw");
	UNTIL(t->k, strstr(t->k->log, "tail 0 lines=7 raw=1") != NULL);
	assert_non_null(strstr(t->k->log, "mode=1"));
	UNTIL(t->k, says(t, 1, "last\r\nlines"));
	fake_says(t->k, 0, "9AB", 3);
	UNTIL(t->k, says(t, 1, "B"));
	assert_string_equal(text(t, 1), "last\r\nlinesB");
}

static void
attach_usage(void **state)
{
	static const char *const wrong[] = {
		"attach --ro --force", "attach gw sw", "attach --tail",
		"attach --tail x", "attach --nn", "attach --tail 10001",
	};
	struct term *t = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		open_session(t, false, 5);
		session_start_exec(t->s, wrong[i], NULL);
		UNTIL(t->k, t->done == 1);
		assert_int_equal(t->status, ST_USAGE);
		assert_true(says(t, 2, "usage: attach [CONSOLE]"));
		session_free(t->s);
		t->s = NULL;
		t->done = 0;
		forget(t);
	}
}

static void
verbs_run(void **state)
{
	struct term *t = *state;

	open_session(t, false, 5);
	session_start_exec(t->s, "log --tail '5'", "gw");
	UNTIL(t->k, strcmp(t->k->command, "log gw --tail 5") == 0);
	fake_out(t->k->link, t->k->request, 2, "oops\n", 5);
	answer(t, "line\n", 1);
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, 1);
	assert_string_equal(text(t, 1), "line\n");
	assert_string_equal(text(t, 2), "oops\n");
}

static void
verb_on_a_terminal(void **state)
{
	struct term *t = *state;

	open_session(t, true, 5);
	session_start_exec(t->s, "list", NULL);
	UNTIL(t->k, strcmp(t->k->command, "list") == 0);
	assert_non_null(strstr(t->k->log, "tty=0"));
	answer(t, "a\nb\r\n", 0);
	UNTIL(t->k, t->done == 1);
	assert_string_equal(text(t, 1), "a\r\nb\r\n");
	session_free(t->s);
	forget(t);
	t->done = 0;
	open_session(t, true, 5);
	session_start_exec(t->s, "replay gw", NULL);
	UNTIL(t->k, strcmp(t->k->command, "replay gw") == 0);
	assert_non_null(strstr(t->k->log, "tty=1 80x24"));
	fake_out(t->k->link, t->k->request, 1, "a\nb", 3);
	UNTIL(t->k, says(t, 1, "b"));
	assert_string_equal(text(t, 1), "a\nb");	/* as it came */
	type(t, "\003");
	UNTIL(t->k, t->done == 1);
	assert_non_null(strstr(t->k->log, "cancel"));
	/* It cannot give the terminal back any more. */
	assert_string_equal(text(t, 1) + 3, RESCUE);
}

/* Who draws on it is gone without a word: first that, then the words. */
static void
terminal_is_given_back(void **state)
{
	struct term *t = *state;
	int sv[2];

	open_session(t, true, 5);
	session_start_exec(t->s, "replay gw", NULL);
	UNTIL(t->k, strcmp(t->k->command, "replay gw") == 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	fake_reader(t->k, sv[0]);
	close(sv[0]);
	close(sv[1]);
	UNTIL(t->k, says(t, 1, RESCUE));
	UNTIL(t->k, t->done == 1);
	assert_string_equal(text(t, 1), RESCUE);
	assert_string_equal(text(t, 2), "oobd: the reader process ended "
	    "early\r\n");
	assert_int_equal(t->status, ST_FAILED);
}

/* A verb has ended, which is not yet read, when its session is ended. */
static void
verb_ended_twice(void **state)
{
	struct term *t = *state;
	struct frame_out *o;

	for (int reads = 0; reads < 2; reads++) {
		forget(t);
		t->done = 0;
		open_session(t, false, 5);
		session_start_exec(t->s, "log gw", NULL);
		UNTIL(t->k, strcmp(t->k->command, "log gw") == 0);
		t->room = 0;
		answer(t, "text", ST_DENIED);
		o = link_start(t->k->link, AN_ENDED);
		frame_put_u32(o, t->k->sid);
		frame_put_str(o, "your user was removed");
		link_send(t->k->link);
		link_flush(t->k->link);
		fake_turn(t->k, 20);
		assert_int_equal(t->done, 0);
		t->room = reads ? SIZE_MAX : 0;
		t->wanted = true;
		if (!reads)
			fake_turn(t->k, 4900);
		assert_int_equal(t->done, 0);
		UNTIL(t->k, t->done == 1);
		assert_string_equal(text(t, 1), reads ? "text" : "");
		assert_int_equal(t->status, reads ? ST_DENIED : ST_FAILED);
		session_free(t->s);
		t->s = NULL;
		t->k->command[0] = '\0';
	}
}

static void
verb_interrupted(void **state)
{
	struct term *t = *state;

	open_session(t, false, 5);
	session_start_exec(t->s, "log --follow", "gw");
	UNTIL(t->k, strcmp(t->k->command, "log gw --follow") == 0);
	session_signal(t->s, "WINCH");
	eof(t);
	fake_turn(t->k, 5);
	assert_int_equal(t->done, 0);
	session_signal(t->s, "INT");
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_FAILED);
	assert_non_null(strstr(t->k->log, "cancel"));
}

static void
verb_mistakes(void **state)
{
	static const struct {
		const char *command, *says;
	} wrong[] = {
		{ "", "no verb given" },
		{ "nn x", "no such verb: nn" },
		{ "note 'x", "a ' is not closed" },
		{ "help nn", "no such verb: nn" },
	};
	struct term *t = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		open_session(t, false, 5);
		session_start_exec(t->s, wrong[i].command, NULL);
		UNTIL(t->k, t->done == 1);
		assert_int_equal(t->status, ST_USAGE);
		assert_true(says(t, 2, wrong[i].says) ||
		    says(t, 1, wrong[i].says));
		session_free(t->s);
		t->s = NULL;
		t->done = 0;
		forget(t);
	}
	open_session(t, false, 5);
	session_start_exec(t->s, "help", NULL);
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_OK);
	assert_true(says(t, 1, "  attach  attach to a console\n"));
}

/* Without a terminal nobody is there to be told. */
static void
stream_has_no_digest(void **state)
{
	struct term *t = *state;

	t->k->digest = "7 new lines\n";
	open_session(t, false, 5);
	session_start_stream(t->s, "gw");
	fake_says(t->k, 0, "live", 4);
	UNTIL(t->k, noted(t, "attach "));
	fake_turn(t->k, 5);
	session_free(t->s);
	t->s = NULL;
	fake_turn(t->k, 5);
	assert_false(says(t, 1, "7 new"));
	assert_false(says(t, 2, "7 new"));
	assert_false(noted(t, "seen "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TERM(stream_is_exact),
		ON_TERM(stream_ends_when_quiet),
		ON_TERM(stream_waits_for_the_line),
		ON_TERM(silent_stream_watches),
		ON_TERM(attach_options_and_tail),
		ON_TERM(attach_usage),
		ON_TERM(verbs_run),
		ON_TERM(verb_on_a_terminal),
		ON_TERM(terminal_is_given_back),
		ON_TERM(verb_ended_twice),
		ON_TERM(verb_interrupted),
		ON_TERM(verb_mistakes),
		ON_TERM(stream_has_no_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
