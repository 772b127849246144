#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/editor.h"

static char echoed[4096];

static void
echo(void *arg, const char *p, size_t n)
{
	(void)arg;
	strncat(echoed, p, n);
}

static enum editor_does
type(struct editor *e, const char *keys, size_t *used)
{
	echoed[0] = '\0';
	return editor_type(e, keys, strlen(keys), used, echo, NULL);
}

static void
edits(void **state)
{
	static const struct {
		const char *keys, *text;
		enum editor_does does;
		size_t left;
	} cases[] = {
		{ "abc\r", "abc", EDITOR_DONE, 0 },
		{ "abc\nrest", "abc", EDITOR_DONE, 4 },
		{ "abx\177c\r", "abc", EDITOR_DONE, 0 },
		{ "\b\babc\b", "ab", EDITOR_MORE, 0 },
		{ "h\303\251\177i", "hi", EDITOR_MORE, 0 },
		{ "wrong\025right\r", "right", EDITOR_DONE, 0 },
		{ "one two  \027x\r", "one x", EDITOR_DONE, 0 },
		{ "abc\033", "abc", EDITOR_CANCEL, 0 },
		{ "abc\003d", "abc", EDITOR_CANCEL, 1 },
		{ "\004", "", EDITOR_CANCEL, 0 },
		{ "a\004b", "ab", EDITOR_MORE, 0 },
		{ "a\033[Ab\033[15~c\033OPd\r", "abcd", EDITOR_DONE, 0 },
		{ "a\001\002b", "ab", EDITOR_MORE, 0 },
	};
	struct editor e;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		editor_start(&e);
		assert_int_equal(type(&e, cases[i].keys, &used),
		    cases[i].does);
		assert_string_equal(e.text, cases[i].text);
		assert_int_equal(e.n, strlen(e.text));
		assert_int_equal(used, strlen(cases[i].keys) - cases[i].left);
	}
	editor_start(&e);
	type(&e, "ab\177", &used);
	assert_string_equal(echoed, "ab\b \b");
}

static void
is_bounded(void **state)
{
	struct editor e;
	size_t used;

	(void)state;
	editor_start(&e);
	for (int i = 0; i < EDITOR_MAX + 10; i++)
		assert_int_equal(type(&e, "x", &used), EDITOR_MORE);
	assert_int_equal(e.n, EDITOR_MAX);
	assert_string_equal(echoed, "\a");
	assert_int_equal(type(&e, "\025", &used), EDITOR_MORE);
	assert_int_equal(e.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
