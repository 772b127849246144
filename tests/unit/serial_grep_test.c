#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <regex.h>

#include "recorded_help.h"
#include "serial/grep.h"
#include "serial/logview.h"

static int
make(void **state)
{
	struct recorded *t = recorded_new();

	put(t->j, 0, "zero\r\none\r\n");
	journal_event(t->j, ms(10), RECORD_EVENT, "note text=panic", 15);
	put(t->j, 1000, "two \x1b[31mpa\x1b[0mnic: at\r\n");
	put(t->j, 2000, "three\r\nfour\r\nfive panix\b\x1b[Kc: again\r\n");
	put(t->j, 3000, "six\r\nseven\r\neight back\\slash\r\nnine\r\n");
	put(t->j, 4000, "Panic");
	put(t->j, 4300, " prompt: ");
	journal_flush(t->j, ms(6000), JOURNAL_SHOW_ALL);
	*state = t;
	return 0;
}

static int
search(const struct recorded *t, struct shown *shown, const char *ere,
    const char *options)
{
	char copy[200], *argv[WORDS_MAX] = { "grep", "gw",
	    (char *)(uintptr_t)ere };
	struct view v = { &shown_ops, shown, t->s.dir, false };
	int argc = 3;

	argc = add_words(argv, argc, copy, options);
	return (int)grep_run(&v, argc, argv);
}

static void
expect(void **state, const char *ere, const char *options, int status,
    const char *want)
{
	struct shown shown = { .waits = 0 };

	assert_int_equal(search(*state, &shown, ere, options), status);
	assert_string_equal(shown_text(&shown, 1), want);
	assert_string_equal(shown_text(&shown, 2), "");
	shown_drop(&shown);
}

#define AT(s) "2026-11-22T09:41:0" s ".000Z "

static void
test_matches(void **state)
{
	expect(state, "panic:", "", 0, AT("4") "two panic: at\n"
	    AT("5") "five panic: again\n");
	expect(state, "panic", "-i", 0, AT("4") "two panic: at\n"
	    AT("5") "five panic: again\n" AT("7") "Panic prompt: \n");
	expect(state, "^(two|nine)", "", 0, AT("4") "two panic: at\n"
	    AT("6") "nine\n");
	expect(state, "k\\\\s", "", 0, AT("6") "eight back\\slash\n");
	expect(state, "nic prompt: $", "", 0, AT("7") "Panic prompt: \n");
	expect(state, "not there", "", VIEW_FAILED, "");
	expect(state, "panix", "", VIEW_FAILED, "");
}

static void
test_options(void **state)
{
	expect(state, "panic", "-c", 0, "2\n");
	expect(state, "nothing", "-c", VIEW_FAILED, "0\n");
	expect(state, "panic", "-m 1 -C 1", 0, AT("3") "one\n" AT("4")
	    "two panic: at\n" AT("5") "three\n");
	expect(state, "panic|eight", "-C 1", 0, AT("3") "one\n" AT("4")
	    "two panic: at\n" AT("5") "three\n" AT("5") "four\n" AT("5")
	    "five panic: again\n" AT("6") "six\n" AT("6") "seven\n" AT("6")
	    "eight back\\slash\n" AT("6") "nine\n");
	expect(state, "one|nine", "-C 1", 0, AT("3") "zero\n" AT("3")
	    "one\n" AT("4") "two panic: at\n--\n" AT("6")
	    "eight back\\slash\n" AT("6") "nine\n" AT("7")
	    "Panic prompt: \n");
	expect(state, "e", "--since 2026-11-22T09:41:06Z --until "
	    "2026-11-22T09:41:06Z -c", 0, "3\n");
	expect(state, "Panic", "--json", 0, "{\"console\":\"gw\",\"match\":"
	    "true,\"time\":\"2026-11-22T09:41:07.000000Z\",\"mono\":5004.0,"
	    "\"type\":\"p\",\"offset\":108,\"text\":\"Panic prompt: \"}\n");
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *ere, *options, *why;
	} bad[] = {
		{ "a(b", "", "Unmatched" },
		{ "a{1000}{1000}", "", "repetitions" },
		{ "a", "-C many", "a number of lines" },
		{ "a", "--bogus", "unknown option --bogus" },
		{ "a", "--since now --until -1h", "later" },
	};
	struct shown shown = { .waits = 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(search(*state, &shown, bad[i].ere,
		    bad[i].options), VIEW_USAGE);
		assert_non_null(strstr(shown_text(&shown, 2), bad[i].why));
		shown_drop(&shown);
	}
}

static void
test_several(void **state)
{
	struct recorded *t = *state;
	struct jfile_conf conf = { .log_dir = t->s.dir, .console = "sw-1",
	    .box = "b", .boot = 1 };
	struct journal *j = journal_new(&conf);
	struct shown shown = { .waits = 0 };
	struct view v = { &shown_ops, &shown, t->s.dir, false };
	char *argv[] = { "grep", "gw,none,sw-1", "four", NULL };

	journal_begin(j, 0, false);
	put(j, 0, "twenty-four\r\n");
	journal_flush(j, ms(1000), JOURNAL_SHOW_ALL);
	assert_int_equal(grep_run(&v, 3, argv), 0);
	assert_string_equal(shown.out[1], "gw: " AT("5") "four\nsw-1: "
	    AT("3") "twenty-four\n");
	shown_drop(&shown);
	argv[1] = "none";
	assert_int_equal(grep_run(&v, 3, argv), VIEW_NO_CONSOLE);
	shown_drop(&shown);
	argv[1] = "../gw";
	assert_int_equal(grep_run(&v, 3, argv), VIEW_NO_CONSOLE);
	shown_drop(&shown);
	journal_free(j);
}

/* The lines of `log --text` that match, by regexec(3) alone. */
static char *
by_hand(const struct recorded *t, const char *ere, char *since)
{
	char *argv[] = { "log", "gw", "--since", since, NULL };
	char *out, *line, *rest;
	struct shown shown = { .waits = 0 };
	struct view v = { &shown_ops, &shown, t->s.dir, false };
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = uselocale(utf8);
	regex_t re;

	assert_int_equal(logview_run(&v, 4, argv), 0);
	assert_int_equal(regcomp(&re, ere, REG_EXTENDED | REG_NOSUB), 0);
	out = xcalloc(1, shown.n[1] + 1);
	rest = shown.out[1];
	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		if (regexec(&re, line + 25, 0, NULL, 0) == 0) {
			strcat(out, line);
			strcat(out, "\n");
		}
	}
	regfree(&re);
	uselocale(before);
	freelocale(utf8);
	shown_drop(&shown);
	return out;
}

/*
 * Many segments, previews, escapes, windows: the same as looking at every
 * line, and nothing twice.
 */
static void
test_like_by_hand(void **state)
{
	static const char *const words[] = { "alpha", "be\x1b[1mta\x1b[0m",
	    "gam\\ma", "delta\xff", "eps\ron", "\xc3\xa5\xc3\xa4", "42" };
	static const char *const exprs[] = { "alpha 42", "beta.*gam", "epson",
	    "[0-9]{3,}", "\xc3\xa5.42", "(delta|beta) alpha$", "x" };
	struct recorded *t = *state;
	struct shown shown = { .waits = 0 };
	unsigned seed = 7;
	char line[4000], *want;

	journal_free(t->j);
	t->j = journal_at(&t->s, 200, 65536);
	for (int i = 0; i < 12000; i++) {
		size_t n = 0;

		for (int k = rand_r(&seed) % 5; k >= 0; k--)
			n += (size_t)sprintf(line + n, "%s%s", n > 0 ? " " : "",
			    words[rand_r(&seed) % 7]);
		if (i % 100 == 0)
			n += (size_t)sprintf(line + n, "%*s", 2000, "");
		put(t->j, 7000 + i, line);
		if (i % 10 == 0)
			journal_flush(t->j, ms(7000 + i), JOURNAL_SHOW_ALL);
		put(t->j, 7000 + i, "\r\n");
	}
	put(t->j, 30000, "alpha 42");
	journal_flush(t->j, ms(40000), JOURNAL_SHOW_ALL);
	for (size_t i = 0; i < sizeof(exprs) / sizeof(exprs[0]); i++) {
		want = by_hand(t, exprs[i], "1970-01-01");
		assert_int_equal(search(t, &shown, exprs[i], ""),
		    *want == '\0' ? VIEW_FAILED : 0);
		assert_string_equal(shown_text(&shown, 1), want);
		shown_drop(&shown);
		free(want);
	}
}

/* From a time on, in one long segment: not a line less or more. */
static void
test_since(void **state)
{
	struct recorded *t = *state;
	struct shown shown = { .waits = 0 };
	char line[100], since[64], options[100], *want;

	journal_free(t->j);
	t->j = journal_at(&t->s, 200, 0);
	for (int i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line), "line %d of many\r\n", i);
		put(t->j, 10000 + i * 10, line);
	}
	journal_flush(t->j, ms(300000), JOURNAL_SHOW_ALL);
	for (int s = 13; s < 59; s += 9) {
		snprintf(since, sizeof(since), "2026-11-22T09:42:%02d.123Z", s);
		snprintf(options, sizeof(options), "--since %s", since);
		want = by_hand(t, "7 of", since);
		assert_int_equal(search(t, &shown, "7 of", options), 0);
		assert_string_equal(shown_text(&shown, 1), want);
		assert_true(shown.n[1] > 1000);
		shown_drop(&shown);
		free(want);
	}
}

/* Previews that the next segment takes up again are no line of their own. */
static void
test_void(void **state)
{
	struct recorded *t = *state;

	journal_free(t->j);
	t->j = journal_at(&t->s, 108, 0);
	put(t->j, 9000, "Panic prompt: root\r\n");
	journal_flush(t->j, ms(10000), JOURNAL_SHOW_ALL);
	expect(state, "Panic", "", 0, "2026-11-22T09:41:12.000Z "
	    "Panic prompt: root\n");
	/* But when it goes on behind them they are. */
	put(t->j, 11000, "lost? ");
	journal_flush(t->j, ms(12000), JOURNAL_SHOW_ALL);
	journal_free(t->j);
	t->j = journal_at(&t->s, 134, 0);
	put(t->j, 13000, "later\r\n");
	journal_flush(t->j, ms(14000), JOURNAL_SHOW_ALL);
	expect(state, "lost|later", "", 0, "2026-11-22T09:41:14.000Z lost? \n"
	    "2026-11-22T09:41:16.000Z later\n");
}

static void
test_gone(void **state)
{
	struct shown shown = { .gone_after = 1 };

	assert_int_equal(search(*state, &shown, "panic", ""), VIEW_FAILED);
	assert_string_equal(shown_text(&shown, 1), "");
	shown_drop(&shown);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_matches, make, drop),
		cmocka_unit_test_setup_teardown(test_options, make, drop),
		cmocka_unit_test_setup_teardown(test_refusals, make, drop),
		cmocka_unit_test_setup_teardown(test_several, make, drop),
		cmocka_unit_test_setup_teardown(test_like_by_hand, make, drop),
		cmocka_unit_test_setup_teardown(test_since, make, drop),
		cmocka_unit_test_setup_teardown(test_void, make, drop),
		cmocka_unit_test_setup_teardown(test_gone, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
