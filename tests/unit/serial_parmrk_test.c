#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serial/parmrk.h"

/* Decode in pieces of `step` bytes. */
static size_t
decode(struct parmrk *m, const uint8_t *in, size_t n, size_t step,
    uint8_t *out)
{
	size_t at, len, got = 0;

	memset(m, 0, sizeof(*m));
	for (at = 0; at < n; at += step) {
		len = n - at < step ? n - at : step;
		got += parmrk_decode(m, in + at, len, out + got);
	}
	return got;
}

static void
test_plain_bytes_pass(void **state)
{
	uint8_t in[511], out[512];
	struct parmrk m;
	size_t i, n = 0, step;

	(void)state;
	for (i = 0; i < 256; i++) {
		in[n++] = (uint8_t)i;
		if (i == 0xff)
			in[n++] = 0xff;
	}
	for (step = 1; step <= n; step++) {
		assert_int_equal(decode(&m, in, n, step, out), 256);
		for (i = 0; i < 256; i++)
			assert_int_equal(out[i], i);
		assert_int_equal(m.breaks, 0);
		assert_int_equal(m.errors, 0);
		assert_int_equal(m.seen, 0);
	}
}

static void
test_marks_across_any_border(void **state)
{
	/* a BREAK, b, broken x, good FF, broken FF, BREAK, BREAK, NUL, c */
	static const uint8_t in[] = { 'a', 0xff, 0, 0, 'b', 0xff, 0, 'x',
	    0xff, 0xff, 0xff, 0, 0xff, 0xff, 0, 0, 0xff, 0, 0, 0, 'c' };
	static const uint8_t want[] = { 'a', 'b', 'x', 0xff, 0xff, 0, 'c' };
	uint8_t out[sizeof(in) + 1];
	struct parmrk m;
	size_t step;

	(void)state;
	for (step = 1; step <= sizeof(in); step++) {
		assert_int_equal(decode(&m, in, sizeof(in), step, out),
		    sizeof(want));
		assert_memory_equal(out, want, sizeof(want));
		assert_int_equal(m.breaks, 3);
		assert_int_equal(m.errors, 2);
		assert_int_equal(m.seen, 0);
	}
}

static void
test_unfinished_mark_waits(void **state)
{
	struct parmrk m = { 0 };
	uint8_t out[4];

	(void)state;
	assert_int_equal(parmrk_decode(&m, (const uint8_t *)"\xff", 1, out),
	    0);
	assert_int_equal(parmrk_decode(&m, (const uint8_t *)"", 0, out), 0);
	assert_int_equal(parmrk_decode(&m, (const uint8_t *)"\0", 1, out), 0);
	assert_int_equal(m.seen, 2);
	assert_int_equal(m.breaks, 0);
	assert_int_equal(parmrk_decode(&m, (const uint8_t *)"\0", 1, out), 0);
	assert_int_equal(m.breaks, 1);
}

static void
test_impossible_sequence_loses_nothing(void **state)
{
	struct parmrk m = { 0 };
	uint8_t out[4];

	(void)state;
	/* One byte in may give two out: the reason for the room of n + 1. */
	assert_int_equal(parmrk_decode(&m, (const uint8_t *)"\xff", 1, out),
	    0);
	assert_int_equal(parmrk_decode(&m, (const uint8_t *)"A", 1, out), 2);
	assert_memory_equal(out, "\xff" "A", 2);
	assert_int_equal(m.errors, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_bytes_pass),
		cmocka_unit_test(test_marks_across_any_border),
		cmocka_unit_test(test_unfinished_mark_waits),
		cmocka_unit_test(test_impossible_sequence_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
