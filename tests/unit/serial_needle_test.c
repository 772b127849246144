#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serial/needle.h"

#define EIGHT "ab|cd|ef|gh|ij|kl|mn|op"
#define MOST EIGHT "|" EIGHT "|" EIGHT "|" EIGHT	/* NEEDLE_MAX */

/* "a|b" of the literals, "&c" for what must be there as well. */
static void
expect(const char *ere, bool fold, const char *want)
{
	struct needle s;
	char got[1024] = "";
	size_t n = 0;

	needle_make(&s, ere, fold);
	for (size_t i = 0; i < s.count; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%.*s",
		    i > 0 ? "|" : "", (int)s.any[i].n, s.any[i].text);
	for (size_t i = 0; i < s.nalso; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "&%.*s",
		    (int)s.also[i].n, s.also[i].text);
	assert_string_equal(got, want);
}

static void
test_literals(void **state)
{
	(void)state;
	expect("panic", false, "panic");
	expect("PanIC", true, "panic");
	expect("panic:|Fatal trap", false, "panic:|Fatal trap");
	expect("(panic|oops) here", false, " here");
	expect("(panic|Oops)", false, "panic|Oops");
	expect("x(panic|Oops)y", false, "panic|Oops");
	expect("link .* down", false, "link & down");
	expect("colou?r", false, "colo");
	expect("ab*cd", false, "cd");
	expect("ab{0,2}cdx", false, "cdx");
	expect("ab{,2}cdx", false, "cdx");
	expect("ab+cd", false, "ab&cd");
	expect("a\\.b\\.c", false, "a.b.c");
	expect("\\bword\\b", false, "word");
	expect("^usb[0-9]+: ok$", false, ": ok&usb");
	expect("[[:alpha:]]ab[]x]", false, "ab");
	expect("(ab)?", false, "");
	expect("(ab){0}cd", false, "cd");
	expect("(abc(def)*)+gh", false, "abc&gh");
	expect("a|panic", false, "");
	expect(".*", false, "");
	expect("", false, "");
	expect("a", false, "");
	expect("\xc3\xa5\xc3\xa4", false, "\xc3\xa5\xc3\xa4");
	expect("\xc3\xa5\xc3\xa4ok", true, "ok");
	expect(MOST, false, MOST);
	expect(MOST "|qr", false, "");
}

static void
test_find(void **state)
{
	const char *text = "one two Three four", *at;
	struct needle s;

	(void)state;
	needle_make(&s, "four|two", false);
	assert_ptr_equal(needle_find(&s, text, strlen(text)), text + 4);
	assert_null(needle_find(&s, text, 6));
	needle_make(&s, "tHREE", false);
	assert_null(needle_find(&s, text, strlen(text)));
	needle_make(&s, "tHREE", true);
	at = needle_find(&s, text, strlen(text));
	assert_ptr_equal(at, text + 8);
	assert_null(needle_find(&s, text, 12));
	assert_non_null(needle_find(&s, text, 13));
	assert_null(needle_find(&s, "", 0));
	/* "{" and "[" differ in the bit that folds, "@" and "`" too. */
	needle_make(&s, "\\[ab", true);
	assert_null(needle_find(&s, "{ab", 3));
	assert_non_null(needle_find(&s, "x[AB", 4));
}

static void
test_problem(void **state)
{
	char *long_one = calloc(1, 2000);

	(void)state;
	assert_null(needle_problem("a{3}b{1,20}c{,5}"));
	assert_non_null(needle_problem("((a{200}){200}){200}"));
	assert_non_null(needle_problem("a{99999999999999999999}"));
	assert_non_null(needle_problem("(a{2,2000})"));
	assert_null(needle_problem("([0-9]+\\.)+ (up|down)+ .+"));
	assert_null(needle_problem("a+?b*?c?d(e*)?"));
	assert_non_null(needle_problem("x+??????++++++"));
	assert_non_null(needle_problem("a+++++++++++++++++++++++++++"));
	/* A tenth of a second, and seconds under a sanitizer. */
	assert_non_null(needle_problem("/?????+++++"));
	assert_null(needle_problem("$/?+*?"));
	/* Four seconds of regcomp(3). */
	assert_non_null(needle_problem("$$o??++++"));
	assert_non_null(needle_problem("((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+"));
	memset(long_one, 'a', 1999);
	assert_non_null(needle_problem(long_one));
	free(long_one);
}

/* Whatever matches has what must be there: random expressions and lines. */
static void
test_never_misses(void **state)
{
	static const char *const parts[] = { "a", "b", "ab", "ba", ".", "*",
	    "+", "?", "|", "(", ")", "[ab]", "[^a]", "{0}", "{1,2}", "^", "$",
	    "\\.", "\\w", "C" };
	char ere[100], line[40];
	struct needle s;
	unsigned seed = 1;
	int matched = 0;
	regex_t re;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		bool fold = i % 2 == 0;

		*ere = '\0';
		for (int k = rand_r(&seed) % 8; k >= 0; k--)
			strcat(ere, parts[(size_t)rand_r(&seed) %
			    (sizeof(parts) / sizeof(parts[0]))]);
		if (regcomp(&re, ere, REG_EXTENDED | REG_NOSUB |
		    (fold ? REG_ICASE : 0)) != 0)
			continue;
		needle_make(&s, ere, fold);
		for (int k = 0; k < 10; k++) {
			size_t n = (size_t)rand_r(&seed) % 12;

			for (size_t c = 0; c < n; c++)
				line[c] = "abcABC. "[rand_r(&seed) % 8];
			line[n] = '\0';
			if (regexec(&re, line, 0, NULL, 0) != 0)
				continue;
			matched++;
			if (s.count > 0 && (needle_find(&s, line, n) == NULL ||
			    !needle_has_all(&s, line, n)))
				fail_msg("%s misses %s", ere, line);
		}
		regfree(&re);
	}
	assert_true(matched > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_problem),
		cmocka_unit_test(test_never_misses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
