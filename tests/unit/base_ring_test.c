#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/base/ring.h"

static void
test_sizes(void **state)
{
	static const struct {
		size_t asked, got;
	} sizes[] = {
		{ 0, 256 }, { 1, 256 }, { 256, 256 }, { 257, 512 },
		{ 65536, 65536 }, { 65537, 131072 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ring *r = ring_new(sizes[i].asked, 0);

		assert_int_equal(ring_size(r), sizes[i].got);
		ring_free(r);
	}
	ring_free(NULL);
}

static void
test_base(void **state)
{
	struct ring *r = ring_new(256, 1000);
	const uint8_t *p;

	(void)state;
	assert_int_equal(ring_head(r), 1000);
	assert_int_equal(ring_tail(r), 1000);
	assert_int_equal(ring_peek(r, 1000, &p), 0);
	ring_write(r, "abc", 3);
	assert_int_equal(ring_head(r), 1003);
	assert_int_equal(ring_tail(r), 1000);
	assert_int_equal(ring_peek(r, 1001, &p), 2);
	assert_memory_equal(p, "bc", 2);
	ring_restart(r, 5);
	assert_int_equal(ring_head(r), 5);
	assert_int_equal(ring_tail(r), 5);
	ring_write(r, "x", 1);
	assert_int_equal(ring_tail(r), 5);
	ring_free(r);
}

/* Everything kept, piece by piece, is the end of what was written. */
static void
check(struct ring *r, const uint8_t *all, uint64_t base)
{
	uint64_t at = ring_tail(r);
	const uint8_t *p;
	size_t n;

	while ((n = ring_peek(r, at, &p)) > 0) {
		assert_memory_equal(p, all + (at - base), n);
		at += n;
	}
	assert_int_equal(at, ring_head(r));
}

static void
test_random(void **state)
{
	static const uint64_t bases[] = { 0, 255, 256, 1ULL << 40,
	    UINT64_MAX / 2 + 77 };
	static uint8_t all[200000];

	(void)state;
	srandom(3);
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)random();
	for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
		struct ring *r = ring_new(1024, bases[b]);
		size_t done = 0;

		while (done < sizeof(all)) {
			size_t n = (size_t)random() % 3000;

			if (random() % 2)
				n %= 20;
			if (n > sizeof(all) - done)
				n = sizeof(all) - done;
			ring_write(r, all + done, n);
			done += n;
			assert_int_equal(ring_head(r), bases[b] + done);
			assert_int_equal(ring_tail(r), bases[b] +
			    (done > 1024 ? done - 1024 : 0));
			check(r, all, bases[b]);
		}
		ring_free(r);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
