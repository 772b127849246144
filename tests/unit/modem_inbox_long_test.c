#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "inbox_help.h"

/* Part seq of total of reference ref: one letter, 'a' for the first. */
static const char *
part(unsigned ref, unsigned total, unsigned seq)
{
	static char hex[HEX];

	snprintf(hex, sizeof(hex), "00440C9134661032547600" "08" TIME
	    "08" "050003%02X%02X%02X" "%04X", ref, total, seq, 0x60 + seq);
	return hex;
}

static void
test_long(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, part(7, 3, 2));
	poke(m);
	arrives(m, 1, part(7, 3, 3));
	arrives(m, 0, part(7, 3, 2));
	arrives(m, 0, part(8, 3, 1));
	poke(m);
	assert_int_equal(m->given, 0);
	assert_int_equal(stored(m), 0);
	arrives(m, 0, part(7, 3, 1));
	poke(m);
	assert_int_equal(m->given, 1);
	assert_string_equal(m->text, "abc");
	assert_int_equal(m->parts, 3);
	assert_false(m->old);
}

static void
test_long_and_old(void **state)
{
	struct modem *m = *state;

	arrives(m, 0, part(7, 2, 2));
	pass(m, 1000);
	arrives(m, 0, part(7, 2, 1));
	poke(m);
	assert_int_equal(m->given, 1);
	assert_true(m->old);
}

static void
test_long_expires(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, part(7, 2, 1));
	poke(m);
	pass(m, 11 * 60000);
	arrives(m, 0, part(7, 2, 2));
	poke(m);
	assert_int_equal(m->given, 0);
}

/* Flooded with beginnings: bounded, and others still come through. */
static void
test_long_flood(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	for (unsigned i = 0; i < 100; i++) {
		arrives(m, 0, part(i, 2, 1));
		poke(m);
		pass(m, 100);
	}
	arrives(m, 0, part(99, 2, 2));
	poke(m);
	assert_int_equal(m->given, 1);
	arrives(m, 0, part(1, 2, 2));
	poke(m);
	assert_int_equal(m->given, 1);
	arrives(m, 0, part(1, 200, 1));
	poke(m);
	assert_int_equal(stored(m), 0);
}

/* Headers that make no sense are as none. */
static void
test_long_nonsense(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, part(7, 2, 3));
	arrives(m, 0, part(7, 2, 0));
	arrives(m, 0, part(7, 0, 0));
	arrives(m, 0, part(7, 1, 1));
	poke(m);
	assert_int_equal(m->given, 4);
	assert_int_equal(m->parts, 1);
}

/* Cut between the halves of a surrogate pair. */
static void
test_long_pair(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, "00440C9134661032547600" "08" TIME "08"
	    "050003070201" "D83D");
	arrives(m, 0, "00440C9134661032547600" "08" TIME "08"
	    "050003070202" "DE00");
	poke(m);
	assert_int_equal(m->given, 1);
	assert_string_equal(m->text, "\U0001f600");
	/* One part in each alphabet. */
	arrives(m, 0, "00440C9134661032547600" "08" TIME "08"
	    "050003080201" "0151");
	arrives(m, 0, "00440C9134661032547600" "00" TIME "08"
	    "050003080202" "C2");
	poke(m);
	assert_int_equal(m->given, 2);
	assert_string_equal(m->text, "\u0151a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_long),
		TEST(test_long_and_old),
		TEST(test_long_expires),
		TEST(test_long_flood),
		TEST(test_long_nonsense),
		TEST(test_long_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
