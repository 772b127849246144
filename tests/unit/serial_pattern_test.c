#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serial/needle.h"
#include "serial/omens.h"
#include "serial/pattern.h"

static void
refused(const char *ere, const char *part)
{
	char why[PATTERN_WHY] = "";

	if (pattern_check(ere, why) != -1)
		fail_msg("taken: %s", ere);
	if (strstr(why, part) == NULL)
		fail_msg("%s: %s", ere, why);
}

static void
test_refused(void **state)
{
	char deep[100];

	(void)state;
	refused("", "matches everything");
	refused("(", "not an extended regular expression");
	refused("[a", "not an extended regular expression");
	refused("(a)\\1", "back-reference");
	refused("(a)[\\]\\9", "back-reference");
	refused("a{65}", "at most 64");
	refused("a{1,1000}", "at most 64");
	refused("(a{2}){3}", "another one");
	refused("((a{2}|b)c)*{3}", "another one");
	refused("a{2}{3}", "another one");
	refused("a{2}*{3}", "another one");
	memset(deep, '(', 40);
	memset(deep + 40, ')', 40);
	deep[80] = '\0';
	refused(deep, "nested too deeply");
}

static void
test_taken(void **state)
{
	static const char *const eres[] = {
		"panic:|Fatal trap", "a{2}b{3}", "(a{2}|b)(c{3})", "(ab){64}",
		"[\\1]", "[]]{2}", "[[:digit:]{9]{3}", "\\{2}", "a\\{2\\}{3}",
		"(a{2})*", "^%SYS-[0-9]{1,2}-",
	};
	char why[PATTERN_WHY];

	(void)state;
	for (size_t i = 0; i < sizeof(eres) / sizeof(eres[0]); i++) {
		if (pattern_check(eres[i], why) == -1)
			fail_msg("%s: %s", eres[i], why);
	}
}

static bool
matches(const char *ere, bool ignore_case, const char *line)
{
	char why[PATTERN_WHY];
	struct pattern *p = pattern_new(ere, ignore_case, why);
	bool r;

	assert_non_null(p);
	r = pattern_matches(p, line, strlen(line));
	pattern_free(p);
	return r;
}

static void
test_matches(void **state)
{
	(void)state;
	assert_true(matches("panic:|Fatal trap", false, "a Fatal trap 12"));
	assert_false(matches("panic:", false, "PANIC: x"));
	assert_true(matches("panic:", true, "PANIC: x"));
	assert_true(matches("^db> $", false, "db> "));
}

/* Compiled anew now and then, it is the same. */
static void
test_stays_the_same(void **state)
{
	char why[PATTERN_WHY], line[1001];
	struct pattern *p = pattern_new("(a|b)*a(a|b){12}c", false, why);
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 300; i++) {
		for (int j = 0; j < 1000; j++) {
			seed = seed * 1103515245 + 12345;
			line[j] = "ab"[seed >> 16 & 1];
		}
		line[1000] = '\0';
		assert_false(pattern_matches(p, line, 1000));
		memcpy(line + 986, "aabbabbabbabac", 14);
		assert_true(pattern_matches(p, line, 1000));
	}
	pattern_free(p);
}

/* Each omen knows its example, and no other kind does. */
static void
test_omens(void **state)
{
	static const char *const usual[] = {
		"gw login: ", "login: root", "gw# reboot", "root@gw:~ # ",
		"Nov 22 03:14:15 gw kernel: igb0: link state changed to UP",
		"Last login: Sun Nov 22 from 192.0.2.7", "Booting...",
		"Timecounters tick every 1.000 msec", "switch> ", "db> select",
	};
	char why[PATTERN_WHY], *ere;
	struct pattern *of[OMENS];
	const struct omen_row *r;
	struct needle needle;

	(void)state;
	for (int i = 0; i < OMENS; i++) {
		ere = omen_pattern((enum omen)i);
		of[i] = pattern_new(ere, false, why);
		assert_non_null(of[i]);
		/* Most lines are told apart without regexec(3). */
		needle_make(&needle, ere, false);
		assert_in_range(needle.count, 1, NEEDLE_MAX);
		free(ere);
	}
	for (size_t i = 0; (r = omen_at(i)) != NULL; i++) {
		assert_int_equal(pattern_check(r->ere, why), 0);
		for (int j = 0; j < OMENS; j++) {
			if (pattern_matches(of[j], r->example,
			    strlen(r->example)) != (j == (int)r->omen))
				fail_msg("%s: \"%s\" and %d", r->system,
				    r->example, j);
		}
		assert_true(matches(r->ere, false, r->example));
	}
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		for (int j = 0; j < OMENS; j++)
			assert_false(pattern_matches(of[j], usual[i],
			    strlen(usual[i])));
	}
	for (int i = 0; i < OMENS; i++)
		pattern_free(of[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_stays_the_same),
		cmocka_unit_test(test_omens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
