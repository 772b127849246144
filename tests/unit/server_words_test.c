#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/words.h"

static void
splits_as_a_shell_does(void **state)
{
	static const struct {
		const char *text;
		const char *words[6];
	} cases[] = {
		{ "", { NULL } },
		{ " \t\n ", { NULL } },
		{ "list", { "list" } },
		{ "  log  gw --tail\t5 ", { "log", "gw", "--tail", "5" } },
		{ "note 'two words'", { "note", "two words" } },
		{ "note \"two  words\"", { "note", "two  words" } },
		{ "note it\\'s", { "note", "it's" } },
		{ "note 'it'\\''s'", { "note", "it's" } },
		{ "a''b \"\" ''", { "ab", "", "" } },
		{ "\"a\\\"b\\\\c\\d\\$\"", { "a\"b\\c\\d$" } },
		{ "'a\\b'", { "a\\b" } },
		{ "a\\ b $HOME * ; | &", { "a b", "$HOME", "*", ";", "|",
		    "&" } },
		{ "say h\303\251", { "say", "h\303\251" } },
	};
	struct words w;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int n = 0;

		assert_int_equal(words_split(&w, cases[i].text, &why), 0);
		while (n < 6 && cases[i].words[n] != NULL) {
			assert_true(n < w.argc);
			assert_string_equal(w.argv[n], cases[i].words[n]);
			n++;
		}
		assert_int_equal(w.argc, n);
		assert_null(w.argv[n]);
		words_free(&w);
	}
}

static void
refuses(void **state)
{
	static const char *const bad[] = {
		"note 'open", "note \"open", "note \"open\\\"", "end\\",
	};
	struct words w;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_int_equal(words_split(&w, bad[i], &why), -1);
		assert_non_null(why);
		assert_null(w.store);
	}
}

static void
is_bounded(void **state)
{
	char *text = malloc(WORDS_TEXT_MAX + 2);
	struct words w;
	const char *why;

	(void)state;
	memset(text, 'x', WORDS_TEXT_MAX + 1);
	text[WORDS_TEXT_MAX] = '\0';
	assert_int_equal(words_split(&w, text, &why), 0);
	assert_int_equal(strlen(w.argv[0]), WORDS_TEXT_MAX);
	words_free(&w);
	text[WORDS_TEXT_MAX] = 'x';
	text[WORDS_TEXT_MAX + 1] = '\0';
	assert_int_equal(words_split(&w, text, &why), -1);
	for (int i = 0; i < ARGS_MAX + 1; i++)
		memcpy(text + 2 * i, "a ", 3);
	assert_int_equal(words_split(&w, text, &why), -1);
	text[2 * ARGS_MAX] = '\0';
	assert_int_equal(words_split(&w, text, &why), 0);
	assert_int_equal(w.argc, ARGS_MAX);
	words_free(&w);
	free(text);
}

static void
joins_back(void **state)
{
	char *argv[] = { "note", "gw", "it's \"odd\" \\ $x", "", "a b" };
	char *many[ARGS_MAX + 1], *text;
	struct words w;
	const char *why;

	(void)state;
	text = words_join(5, argv);
	assert_non_null(text);
	assert_int_equal(words_split(&w, text, &why), 0);
	assert_int_equal(w.argc, 5);
	for (int i = 0; i < 5; i++)
		assert_string_equal(w.argv[i], argv[i]);
	words_free(&w);
	free(text);
	for (int i = 0; i < ARGS_MAX + 1; i++)
		many[i] = "x";
	assert_null(words_join(ARGS_MAX + 1, many));
	text = words_join(0, many);
	assert_string_equal(text, "");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_as_a_shell_does),
		cmocka_unit_test(refuses),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(joins_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
