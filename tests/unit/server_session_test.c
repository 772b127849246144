#include "session_help.h"
#include "virtual_time.h"

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
		size_t n = 0;

		for (; *p != '\0' && n < sizeof(live) - 1; p++) {
			if (*p >= 'A' && *p <= 'F')
				live[n++] = *p;
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
		ON_TERM(told_what_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
