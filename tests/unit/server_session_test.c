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

static size_t
on_room(void *arg)
{
	struct term *t = arg;

	return t->pumping ? t->room : 0;
}

static size_t
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

static void
on_wants_pump(void *arg)
{
	((struct term *)arg)->wanted = true;
}

static void
on_done(void *arg, int status)
{
	struct term *t = arg;

	t->done++;
	t->status = status;
}

static const struct session_ops ops = {
	on_room, on_write, on_wants_pump, on_done, NULL
};

static void
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

static void
on_up(void *arg)
{
	(void)arg;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static const struct feed_ops feed_ops = { .up = on_up, .down = on_down,
    .consoles = on_up };

static int
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

static int
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

static void
open_session(struct term *t, bool terminal, int escape)
{
	const struct session_user user = {
		"alice", "192.0.2.1", "ssh", "", escape
	};

	t->s = session_new(t->k->loop, t->feed, &user, &ops, t);
	if (terminal)
		session_terminal(t->s, 80, 24);
}

static const char *
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

static bool
says(struct term *t, int stream, const char *part)
{
	return strstr(text(t, stream), part) != NULL;
}

static void
forget(struct term *t)
{
	buf_clear(t->out[0]);
	buf_clear(t->out[1]);
}

static void
type_n(struct term *t, const void *p, size_t n)
{
	assert_int_equal(buf_add(t->held, p, n), 0);
	t->wanted = true;
}

static void
type(struct term *t, const char *keys)
{
	type_n(t, keys, strlen(keys));
}

static void
eof(struct term *t)
{
	t->eof = t->wanted = true;
}

static bool
typed_is(struct term *t, const char *what)
{
	return t->k->ntyped == strlen(what) &&
	    memcmp(t->k->typed, what, t->k->ntyped) == 0;
}

/* Answer the last command. */
static void
answer(struct term *t, const char *out, int status)
{
	fake_out(t->k->link, t->k->request, 1, out, strlen(out));
	fake_end(t->k->link, t->k->request, status, 0);
	t->k->command[0] = '\0';
}

static void
shell(struct term *t)
{
	open_session(t, true, 5);
	session_start_shell(t->s, "gw");
	UNTIL(t->k, says(t, 1, "? for help]\r\n"));
	UNTIL(t->k, strstr(t->k->log, "subscribe") != NULL);
	fake_turn(t->k, 3);
}

static const char two[] =
    "[{\"name\":\"gw\",\"description\":\"edge router\",\"up\":true,"
    "\"line\":\"57600 8N1 none\",\"writer\":\"bob\",\"attached\":1,"
    "\"last_output_time\":\"2020-01-02T03:04:05.000000Z\","
    "\"last_output\":\"login:\"},"
    "{\"name\":\"sw\",\"description\":\"\",\"up\":false,"
    "\"line\":\"9600 8N1 none\",\"attached\":0,\"last_output\":\"\"}]";
static const char one[] = "[{\"name\":\"sw\",\"up\":true,\"line\":\"x\"}]";

static void
shell_attaches(void **state)
{
	struct term *t = *state;

	shell(t);
	assert_true(says(t, 1, "\r\n[oobd: gw: a router, 57600 8N1 none; "
	    "you have the pen; ^Ec? for help]\r\n"));
	forget(t);
	fake_says(t->k, 0, "login: ", 7);
	UNTIL(t->k, says(t, 1, "login: "));
	assert_string_equal(text(t, 1), "login: ");
	type(t, "root\r");
	UNTIL(t->k, typed_is(t, "root\r"));
	fake_notice(t->k, 0, 0, "bob attached");
	UNTIL(t->k, says(t, 1, "login: \r\n[oobd: bob attached]\r\n"));
	/* Nothing that is said can move the cursor. */
	fake_notice(t->k, 0, 0, "a\033[2Jb\302\233c h\303\251 ^Ecf");
	UNTIL(t->k, says(t, 1, "[oobd: a?[2Jb?c h\303\251 ^Ecf]\r\n"));
	assert_string_equal(text(t, 2), "");
	type(t, E ".");
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_OK);
	assert_true(says(t, 1, "\r\n[oobd: left gw]\r\n"));
	assert_non_null(strstr(t->k->log, "detach 1"));
}

static void
every_key(void **state)
{
	struct term *t = *state;

	shell(t);
	type(t, E "a" E "f" E "s" E "b" E "l0" E "L");
	UNTIL(t->k, strstr(t->k->log,
	    "pen 0\npen 1\npen 2\nbreak\nbreak\nrecord\n") != NULL);
	type(t, E "?");
	UNTIL(t->k, says(t, 1, "  ^Ec f   take the pen by force\r\n"));
	assert_true(says(t, 1, "  ^Ec ^E  the lead-in itself\r\n"));
	type(t, E "\005x" E "z");
	UNTIL(t->k, says(t, 1, "no such key; ^Ec? lists them"));
	assert_true(typed_is(t, "\005x"));
	forget(t);
	type(t, E "w");
	UNTIL(t->k, strcmp(t->k->command, "who") == 0);
	fake_says(t->k, 0, "live", 4);
	fake_turn(t->k, 5);
	assert_false(says(t, 1, "live"));
	answer(t, "ID USER\n 1 alice\n", 0);
	UNTIL(t->k, says(t, 1, "live"));
	assert_string_equal(text(t, 1), "\r\nID USER\r\n 1 alice\r\nlive");
	session_break(t->s);
	UNTIL(t->k, strstr(t->k->log, "break\nrecord\n") != NULL &&
	    strstr(strstr(t->k->log, "record"), "break") != NULL);
}

static void
other_lead(void **state)
{
	struct term *t = *state;

	open_session(t, true, 0x14);
	session_start_shell(t->s, "gw");
	UNTIL(t->k, says(t, 1, "^Tc? for help]"));
	type(t, "\005c.");
	UNTIL(t->k, typed_is(t, "\005c."));
	fake_notice(t->k, 0, 0, "^Eca asks for it");
	UNTIL(t->k, says(t, 1, "[oobd: ^Tca asks for it]"));
	type(t, "\024c.");
	UNTIL(t->k, t->done == 1);
}

static void
lead_in_alone_is_sent(void **state)
{
	struct term *t = *state;
	struct mono start = mono_now();

	shell(t);
	type(t, "a\005");
	UNTIL(t->k, typed_is(t, "a"));
	fake_turn(t->k, 2500);
	assert_true(typed_is(t, "a"));
	UNTIL(t->k, typed_is(t, "a\005"));
	assert_in_range(mono_ms(start, mono_now()), 2900, 4500);
	type(t, "c.");		/* too late to be a key */
	UNTIL(t->k, typed_is(t, "a\005c."));
}

static void
note_is_edited_here(void **state)
{
	struct term *t = *state;

	shell(t);
	forget(t);
	type(t, E "nre\177\177back");
	UNTIL(t->k, says(t, 1, "back"));
	fake_says(t->k, 0, "noise", 5);
	fake_turn(t->k, 5);
	assert_false(says(t, 1, "noise"));
	type(t, "up at 3\rxyz");
	UNTIL(t->k, says(t, 1, "noise"));
	UNTIL(t->k, typed_is(t, "xyz"));
	assert_non_null(strstr(t->k->log, "note backup at 3\n"));
	type(t, E "nnever mind\033");
	UNTIL(t->k, says(t, 1, "no note written"));
	assert_null(strstr(t->k->log, "never mind"));
	type(t, "more");
	UNTIL(t->k, typed_is(t, "xyzmore"));
}

/* Lines shown again neither hide nor double a byte of the live stream. */
static void
recent_lines(void **state)
{
	struct term *t = *state;

	shell(t);
	fake_says(t->k, 0, "AB", 2);
	UNTIL(t->k, says(t, 1, "AB"));
	forget(t);
	t->k->tail_text = "old 1\nold 2\n";
	fake_says(t->k, 0, "CD", 2);
	type(t, E "r");
	fake_says(t->k, 0, "EF", 2);
	UNTIL(t->k, says(t, 1, "old 2\r\n"));
	UNTIL(t->k, says(t, 1, "EF"));
	assert_non_null(strstr(t->k->log, "tail 0 lines=20 raw=0"));
	assert_true(says(t, 1, "[oobd: the last 20 lines]\r\nold 1\r\n"));
	{
		char live[64] = "";
		const char *p = text(t, 1);

		for (; *p != '\0'; p++) {
			if (*p >= 'A' && *p <= 'F')
				strncat(live, p, 1);
		}
		assert_string_equal(live, "CDEF");
	}
	type(t, E "p");
	UNTIL(t->k, strstr(t->k->log, "lines=60") != NULL);
}

static void
line_info(void **state)
{
	struct term *t = *state;

	shell(t);
	type(t, E "i");
	UNTIL(t->k, strcmp(t->k->command, "status --json") == 0);
	answer(t, "{\"consoles\":[{\"name\":\"sw\"},{\"name\":\"gw\",\"up\":"
	    "true,\"line\":\"9600 7E1\",\"path\":\"/dev/x\",\"received\":12,"
	    "\"overruns\":3,\"journal\":{\"healthy\":true,\"file\":\"/j\"}}]}",
	    0);
	UNTIL(t->k, says(t, 1, "[oobd: gw: 9600 7E1, /dev/x, up]"));
	assert_true(says(t, 1, "received 12,"));
	assert_true(says(t, 1, "overruns 3]"));
	assert_true(says(t, 1, "[oobd: journal: /j]"));
	type(t, E "i");
	UNTIL(t->k, strcmp(t->k->command, "status --json") == 0);
	answer(t, "nonsense", 0);
	UNTIL(t->k, says(t, 1, "line info cannot be had now"));
}

static void
menu_of_two(void **state)
{
	struct term *t = *state;

	open_session(t, true, 5);
	session_start_shell(t->s, NULL);
	UNTIL(t->k, strcmp(t->k->command, "list --json") == 0);
	type(t, "9\r");			/* typed ahead: kept */
	answer(t, two, 0);
	UNTIL(t->k, says(t, 1, "no such console\r\n"));
	assert_true(says(t, 1, "   1  gw  up   57600 8N1 none  pen bob   "));
	assert_true(says(t, 1, "edge router | login:"));
	assert_true(says(t, 1, "   2  sw  DOWN 9600 8N1 none   pen free  "
	    "silent"));
	type(t, "2\r");
	UNTIL(t->k, says(t, 1, "[oobd: sw: a router"));
	assert_non_null(strstr(t->k->log, "attach 1 1 mode=0"));
	/* And over to the other one, by name, without leaving. */
	fake_says(t->k, 1, "from sw", 7);
	UNTIL(t->k, says(t, 1, "from sw"));
	forget(t);
	type(t, E ";");
	UNTIL(t->k, strcmp(t->k->command, "list --json") == 0);
	answer(t, two, 0);
	UNTIL(t->k, says(t, 1, "Esc to go back"));
	type(t, "gw\r");
	UNTIL(t->k, says(t, 1, "[oobd: gw: a router"));
	fake_says(t->k, 0, "from gw", 7);
	fake_says(t->k, 1, "unseen", 6);
	UNTIL(t->k, says(t, 1, "from gw"));
	fake_turn(t->k, 5);
	assert_false(says(t, 1, "unseen"));
	/* Back without a change: what was said meanwhile is there. */
	type(t, E ";");
	UNTIL(t->k, strcmp(t->k->command, "list --json") == 0);
	fake_says(t->k, 0, "meanwhile", 9);
	answer(t, two, 0);
	UNTIL(t->k, says(t, 1, "Esc to go back"));
	assert_false(says(t, 1, "meanwhile"));
	type(t, "\033");
	UNTIL(t->k, says(t, 1, "meanwhile"));
	assert_int_equal(t->done, 0);
}

static void
menu_is_left(void **state)
{
	struct term *t = *state;

	open_session(t, true, 5);
	session_start_shell(t->s, NULL);
	UNTIL(t->k, strcmp(t->k->command, "list --json") == 0);
	answer(t, two, 0);
	UNTIL(t->k, says(t, 1, "q to quit"));
	type(t, "q\r");
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_OK);
}

static void
only_one_needs_no_menu(void **state)
{
	struct term *t = *state;

	open_session(t, true, 5);
	session_start_shell(t->s, NULL);
	UNTIL(t->k, strcmp(t->k->command, "list --json") == 0);
	answer(t, one, 0);
	UNTIL(t->k, says(t, 1, "[oobd: sw: "));
}

static void
no_choice_without_a_terminal(void **state)
{
	struct term *t = *state;

	open_session(t, false, 5);
	session_start_stream(t->s, NULL);
	UNTIL(t->k, strcmp(t->k->command, "list --json") == 0);
	answer(t, two, 0);
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_USAGE);
	assert_string_equal(text(t, 2),
	    "oobd: which console?  Name one of gw, sw\n");
	assert_string_equal(text(t, 1), "");
}

static void
no_console_at_all(void **state)
{
	struct term *t = *state;

	open_session(t, true, 5);
	session_start_shell(t->s, NULL);
	UNTIL(t->k, strcmp(t->k->command, "list --json") == 0);
	answer(t, "[]", 0);
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_NO_CONSOLE);
}

static void
refused_attach(void **state)
{
	struct term *t = *state;

	t->k->refuse = true;
	t->k->greeting = "you may only watch";
	open_session(t, false, 5);
	session_start_exec(t->s, "attach gw --force", NULL);
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_DENIED);
	assert_string_equal(text(t, 2), "oobd: you may only watch\n");
	assert_non_null(strstr(t->k->log, "mode=2"));
}

static void
no_such_console(void **state)
{
	struct term *t = *state;

	open_session(t, false, 5);
	session_start_stream(t->s, "nn");
	UNTIL(t->k, t->done == 1);
	assert_int_equal(t->status, ST_NO_CONSOLE);
	assert_true(says(t, 2, "oobd: no such console"));
}

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

static bool
noted(struct term *t, const char *what)
{
	return strstr(t->k->log, what) != NULL;
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

/* The digest stands between the greeting and what comes. */
static void
told_what_happened(void **state)
{
	struct term *t = *state;
	const char *first, *second;

	t->k->digest = "7 new lines\n  attached: bob \33[2J(03:10:00Z)\n";
	shell(t);
	fake_says(t->k, 0, "live", 4);
	UNTIL(t->k, says(t, 1, "live"));
	first = strstr(text(t, 1), "[oobd: 7 new lines; ^Ecr shows the last "
	    "20 lines, ^Ecp 60]\r\n");
	assert_non_null(first);
	second = strstr(first, "\n  attached: bob ?[2J(03:10:00Z)\r\n");
	assert_non_null(second);
	assert_non_null(strstr(second, "live"));
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

#define ON_TERM(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TERM(shell_attaches),
		ON_TERM(every_key),
		ON_TERM(other_lead),
		ON_TERM(lead_in_alone_is_sent),
		ON_TERM(note_is_edited_here),
		ON_TERM(recent_lines),
		ON_TERM(line_info),
		ON_TERM(menu_of_two),
		ON_TERM(menu_is_left),
		ON_TERM(only_one_needs_no_menu),
		ON_TERM(no_choice_without_a_terminal),
		ON_TERM(no_console_at_all),
		ON_TERM(refused_attach),
		ON_TERM(no_such_console),
		ON_TERM(stream_is_exact),
		ON_TERM(stream_ends_when_quiet),
		ON_TERM(stream_waits_for_the_line),
		ON_TERM(silent_stream_watches),
		ON_TERM(attach_options_and_tail),
		ON_TERM(attach_usage),
		ON_TERM(verbs_run),
		ON_TERM(verb_on_a_terminal),
		ON_TERM(verb_interrupted),
		ON_TERM(verb_mistakes),
		ON_TERM(slow_reader_of_a_verb),
		ON_TERM(skips_and_says_so),
		ON_TERM(typing_catches_up),
		ON_TERM(paste_and_interrupt),
		ON_TERM(paste_and_leave),
		ON_TERM(console_process_restarts),
		ON_TERM(waits_for_the_console_process),
		ON_TERM(kicked),
		ON_TERM(cut_off),
		ON_TERM(cut_off_in_silence),
		ON_TERM(cut_off_unheard),
		ON_TERM(leaves),
		ON_TERM(told_what_happened),
		ON_TERM(stream_has_no_digest),
		ON_TERM(too_many_notices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
