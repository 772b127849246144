/* The file of what happened on a console, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/chronicle.h"
#include "server/config.h"

#define HEAD "oobd-chronicle 1\nlooked 5000 120\n"

static uint64_t offset, lines;

static struct chronicle *
load(const char *text, int want)
{
	struct chronicle *c = chronicle_new();

	offset = lines = 7;
	assert_int_equal(chronicle_load(c, text, &offset, &lines), want);
	return c;
}

static void
what_was_saved_is_loaded(void **state)
{
	struct chronicle *c = load(HEAD "count 3 1 1 1 0\n"
	    "row 1 10 0 0 bob 192.0.2.1\n"
	    "row 2 11 1 2 panic panic: page fault\n"
	    "row 3 12 2 1 reboot caf\xc3\xa9 \\x1b\n", 0);
	struct tally t = chronicle_tally(c, offset, lines);

	(void)state;
	assert_int_equal(CHRONICLE_SEVEREST, SEVERITY_CRITICAL);
	assert_int_equal(offset, 5000);
	assert_int_equal(lines, 120);
	assert_int_equal(chronicle_count(c), 3);
	assert_int_equal(t.seq, 3);
	assert_string_equal(chronicle_row_at(c, 1)->text,
	    "panic: page fault");
	assert_string_equal(chronicle_row_at(c, 2)->text,
	    "caf\xc3\xa9 \\x1b");
	/* None of them is of now: they count as before. */
	t = chronicle_tally_before(c, 0, 0, (struct mono){ 1 });
	assert_int_equal(t.seq, 3);
	chronicle_free(c);
}

/* Its rows are read, but for those that are none. */
static void
damaged_rows_are_left_out(void **state)
{
	struct chronicle *c = load(HEAD "count 9 9 0 0 0\n"
	    "row 1 10 0 0 a one\n"
	    "row 1 10 0 0 a twice\n"
	    "row 2 10 0 0 a \x1b]2;title\x07\n"
	    "row 3 10 0 0 \x9b" "1m text\n"
	    "row 4 10 0 0 a c1 \xc2\x9b\n"
	    "row 5 10 4 0 a what\n"
	    "row 5 10 0 3 a severe\n"
	    "row 5 10 0\n"
	    "row 5 -1 0 0 a before there were clocks\n"
	    "row 5 9223372036854775807 0 0 a after all of them\n"
	    "row 6 10 0 0 a six\n"
	    "row 4 10 0 0 a back\n"
	    "row 10 10 0 0 a beyond\n", 0);

	(void)state;
	assert_int_equal(chronicle_count(c), 2);
	assert_string_equal(chronicle_row_at(c, 0)->text, "one");
	assert_string_equal(chronicle_row_at(c, 1)->text, "six");
	chronicle_free(c);
}

static void
counts_that_cannot_be(void **state)
{
	static const char *const texts[] = {
		"",
		"oobd-chronicle 2\nlooked 1 1\ncount 0 0 0 0 0\n",
		HEAD "count 1 0 0 0\n",
		HEAD "count 1 0 1 0 0\nrow 1 10 0 0 a one\n",
		HEAD "count -1 0 0 0 0\n",
		HEAD "count 1 1 -1 0 0\n",
		"oobd-chronicle 1\nlooked -5 1\ncount 0 0 0 0 0\n",
		("oobd-chronicle 1\nlooked 5 18446744073709551615\n"
		    "count 0 0 0 0 0\n"),
	};
	struct chronicle_row row = { .what = CHRONICLE_LOST };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct chronicle *c = load(texts[i], -1);
		struct tally t;

		assert_int_equal(offset, 7);
		assert_int_equal(lines, 7);
		assert_int_equal(chronicle_count(c), 0);
		chronicle_add(c, &row);
		t = chronicle_tally(c, 0, 0);
		assert_int_equal(t.seq, 1);
		assert_int_equal(t.of[CHRONICLE_LOST], 1);
		assert_int_equal(t.of[CHRONICLE_ATTACH], 0);
		chronicle_free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_saved_is_loaded),
		cmocka_unit_test(damaged_rows_are_left_out),
		cmocka_unit_test(counts_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
