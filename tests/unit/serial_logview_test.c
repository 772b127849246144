#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "recorded_help.h"
#include "serial/logview.h"
#include "serial/record.h"

static int
make(void **state)
{
	struct recorded *t = recorded_new();

	put(t->j, 0, "\x1b[1mboot\x1b[0m\r\n");
	journal_event(t->j, ms(1000), RECORD_EVENT,
	    "attach user=alice text=\\x1b[31m", 31);
	put(t->j, 2000, "-- attach user=evil\n");
	journal_event(t->j, ms(2500), RECORD_INPUT, "alice 2 bytes", 13);
	put(t->j, 3000, " 10%\r 20%\r\nca\xff" "fe\tok\r\n");
	put(t->j, 4000, "login: ");
	put(t->j, 4500, "al");
	journal_flush(t->j, ms(6000), JOURNAL_SHOW_ALL);
	*state = t;
	return 0;
}

static int
run_view(const struct recorded *t, struct shown *shown, bool tty,
    const char *options)
{
	char copy[200], *argv[WORDS_MAX] = { "log", "gw" };
	struct view v = { &shown_ops, shown, t->s.dir, tty };
	int argc = 2;

	argc = add_words(argv, argc, copy, options);
	return (int)logview_run(&v, argc, argv);
}

static void
expect(void **state, const char *options, const char *want)
{
	struct shown shown = { .waits = 0 };

	assert_int_equal(run_view(*state, &shown, false, options), 0);
	assert_string_equal(shown_text(&shown, 1), want);
	assert_string_equal(shown_text(&shown, 2), "");
	shown_drop(&shown);
}

static void
test_forms(void **state)
{
	expect(state, "",
	    "2026-11-22T09:41:03.000Z boot\n"
	    "2026-11-22T09:41:05.000Z -- attach user=evil\n"
	    "2026-11-22T09:41:06.000Z  20%\n"
	    "2026-11-22T09:41:06.000Z ca\xef\xbf\xbd" "fe   ok\n"
	    "2026-11-22T09:41:07.000Z login: al\n");
	expect(state, "--text --events",
	    "boot\n"
	    "-- 2026-11-22T09:41:04.000Z attach user=alice "
	    "text=\\x1b[31m\n"
	    " -- attach user=evil\n"
	    "-- 2026-11-22T09:41:05.500Z input alice 2 bytes\n"
	    " 20%\nca\xef\xbf\xbd" "fe   ok\nlogin: al\n");
	expect(state, "--events",
	    "-- 2026-11-22T09:41:04.000Z attach user=alice "
	    "text=\\x1b[31m\n"
	    "-- 2026-11-22T09:41:05.500Z input alice 2 bytes\n");
	expect(state, "--events --tail 1",
	    "-- 2026-11-22T09:41:05.500Z input alice 2 bytes\n");
	expect(state, "--raw", "\x1b[1mboot\x1b[0m\r\n-- attach user=evil\n"
	    " 10%\r 20%\r\nca\xff" "fe\tok\r\nlogin: al");
}

static void
test_choice(void **state)
{
	expect(state, "--text --tail 2", "ca\xef\xbf\xbd" "fe   ok\n"
	    "login: al\n");
	expect(state, "--text --since 2026-11-22T09:41:06Z --until "
	    "2026-11-22T09:41:06Z", " 20%\nca\xef\xbf\xbd" "fe   ok\n");
	expect(state, "--text --since 2026-11-22T09:41:04Z --until "
	    "2026-11-22T09:41:06Z --tail 2",
	    " 20%\nca\xef\xbf\xbd" "fe   ok\n");
	/* The line's later bytes are in the range, its first ones not. */
	expect(state, "--raw --since 2026-11-22T09:41:07.200Z", "al");
	expect(state, "--raw --since 2026-11-22T09:41:07Z --until "
	    "2026-11-22T09:41:07.200Z", "login: ");
	expect(state, "--text --since 2030-01-01", "");
}

static void
test_json(void **state)
{
	static const char *const keys[] = { "time", "mono", "type", "offset",
	    "text" };
	struct shown shown = { .waits = 0 };
	json_t *lines[16], *o;
	char *p, *save;
	int n = 0;

	assert_int_equal(run_view(*state, &shown, false, "--json --events"),
	    0);
	for (p = strtok_r(shown.out[1], "\n", &save); p != NULL;
	    p = strtok_r(NULL, "\n", &save)) {
		lines[n] = json_loads(p, 0, NULL);
		assert_non_null(lines[n]);
		for (size_t i = 0; i < 5; i++)
			assert_non_null(json_object_get(lines[n], keys[i]));
		n++;
	}
	assert_int_equal(n, 7);
	o = lines[0];
	assert_string_equal(json_string_value(json_object_get(o, "time")),
	    "2026-11-22T09:41:03.000000Z");
	assert_string_equal(json_string_value(json_object_get(o, "text")),
	    "boot");
	assert_string_equal(json_string_value(json_object_get(o,
	    "raw_base64")), "G1sxbWJvb3QbWzBtDQo=");
	o = lines[1];
	assert_string_equal(json_string_value(json_object_get(o, "type")),
	    "m");
	assert_true(json_number_value(json_object_get(o, "mono")) == 5001.0);
	o = lines[2];
	assert_null(json_object_get(o, "raw_base64"));
	assert_int_equal(json_integer_value(json_object_get(o, "offset")),
	    14);
	assert_string_equal(json_string_value(json_object_get(o, "type")),
	    "n");
	assert_string_equal(json_string_value(json_object_get(lines[6],
	    "type")), "p");
	while (n > 0)
		json_decref(lines[--n]);
	shown_drop(&shown);
}

static struct recorded *following;

static void
more(struct shown *shown)
{
	struct journal *j = following->j;

	switch (shown->waits) {
	case 1:
		put(j, 7000, "ice\r\nPassw");
		journal_flush(j, ms(7500), JOURNAL_SHOW_ALL);
		break;
	case 3:
		put(j, 8000, "ord:\r\n");
		journal_event(j, ms(8000), RECORD_EVENT, "detach", 6);
		journal_flush(j, ms(8500), JOURNAL_SHOW_ALL);
		break;
	}
}

static void
test_follow(void **state)
{
	struct shown shown = { .on_wait = more, .gone_after = 6 };

	following = *state;
	assert_int_equal(run_view(*state, &shown, false,
	    "--text --tail 1 --follow --events"), 0);
	assert_string_equal(shown_text(&shown, 1), "login: alice\nPassword:\n"
	    "-- 2026-11-22T09:41:11.000Z detach\n");
	assert_int_equal(shown.slept_ms, 600);
	shown_drop(&shown);
}

static void
test_follow_raw(void **state)
{
	struct shown shown = { .on_wait = more, .keys = "....q" };

	following = *state;
	assert_int_equal(run_view(*state, &shown, true,
	    "--raw --tail 1 --follow"), 0);
	assert_string_equal(shown_text(&shown, 1),
	    "login: alice\r\nPassword:\r\n");
	/* The prompt came before its line was whole. */
	assert_int_equal(shown.upto[0], 9);
	shown_drop(&shown);
}

static void
expect_usage(void **state, const char *options, const char *why)
{
	struct shown shown = { .waits = 0 };

	assert_int_equal(run_view(*state, &shown, false, options),
	    VIEW_USAGE);
	if (strstr(shown_text(&shown, 2), why) == NULL)
		fail_msg("%s: %s", options, shown_text(&shown, 2));
	shown_drop(&shown);
}

static void
test_usage(void **state)
{
	struct shown shown = { .waits = 0 };
	struct recorded *t = *state;
	char *argv[] = { "log", "nosuch" }, *none[] = { "log", NULL };
	struct view v = { &shown_ops, &shown, t->s.dir, false };

	expect_usage(state, "--sine 1", "unknown option --sine");
	expect_usage(state, "--since", "--since wants a time");
	expect_usage(state, "--since teatime", "not \"teatime\"");
	expect_usage(state, "--tail x", "--tail wants a number");
	expect_usage(state, "--raw --json", "exclude");
	expect_usage(state, "--raw --events", "--events");
	expect_usage(state, "--since now --until -1h", "later");
	assert_int_equal(logview_run(&v, 1, none), VIEW_USAGE);
	assert_int_equal(logview_run(&v, 2, argv), VIEW_NO_CONSOLE);
	assert_non_null(strstr(shown_text(&shown, 2), "console nosuch"));
	argv[1] = "../etc";
	assert_int_equal(logview_run(&v, 2, argv), VIEW_NO_CONSOLE);
	shown_drop(&shown);
}

/* A line longer than a record is still one line. */
static void
test_long_line(void **state)
{
	struct recorded *t = *state;
	struct shown shown = { .waits = 0 };
	char *big = xmalloc(10001), *p;

	memset(big, 'x', 10000);
	big[10000] = '\0';
	put(t->j, 9000, "\r\n");
	put(t->j, 9000, big);
	put(t->j, 9000, "\r\nend\r\n");
	journal_flush(t->j, ms(9000), JOURNAL_SHOW_ALL);
	assert_int_equal(run_view(t, &shown, true, "--text --tail 4"), 0);
	p = strstr(shown.out[1], big);
	assert_non_null(p);
	assert_string_equal(p + 10000, "\r\nend\r\n");
	shown_drop(&shown);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forms, make, drop),
		cmocka_unit_test_setup_teardown(test_choice, make, drop),
		cmocka_unit_test_setup_teardown(test_json, make, drop),
		cmocka_unit_test_setup_teardown(test_follow, make, drop),
		cmocka_unit_test_setup_teardown(test_follow_raw, make, drop),
		cmocka_unit_test_setup_teardown(test_usage, make, drop),
		cmocka_unit_test_setup_teardown(test_long_line, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
