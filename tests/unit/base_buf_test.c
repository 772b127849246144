#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"

static void
test_empty(void **state)
{
	struct buf *b = buf_new(100);

	(void)state;
	assert_int_equal(buf_len(b), 0);
	assert_int_equal(buf_room(b), 100);
	assert_non_null(buf_data(b));
	buf_clear(b);
	buf_drop(b, 0);
	assert_int_equal(buf_add(b, NULL, 0), 0);
	assert_int_equal(buf_len(b), 0);
	buf_free(b);
	buf_free(NULL);
}

static void
test_bound(void **state)
{
	struct buf *b = buf_new(10);
	size_t got;

	(void)state;
	assert_int_equal(buf_add(b, "0123456789a", 11), -1);
	assert_int_equal(buf_len(b), 0);
	assert_int_equal(buf_add(b, "01234567", 8), 0);
	assert_int_equal(buf_add(b, "89a", 3), -1);
	assert_int_equal(buf_len(b), 8);
	assert_int_equal(buf_room(b), 2);
	assert_non_null(buf_reserve(b, 100, &got));
	assert_int_equal(got, 2);
	assert_int_equal(buf_add(b, "89", 2), 0);
	assert_memory_equal(buf_data(b), "0123456789", 10);
	assert_null(buf_reserve(b, 1, &got));
	assert_int_equal(got, 0);
	buf_drop(b, 1);
	assert_int_equal(buf_room(b), 1);
	assert_int_equal(buf_add(b, "x", 1), 0);
	assert_memory_equal(buf_data(b), "123456789x", 10);
	buf_free(b);
}

static void
test_reserve_commit(void **state)
{
	struct buf *b = buf_new(1000);
	uint8_t *p;
	size_t got;

	(void)state;
	p = buf_reserve(b, 600, &got);
	assert_int_equal(got, 600);
	memset(p, 'a', 600);
	buf_commit(b, 300);
	assert_int_equal(buf_len(b), 300);
	p = buf_reserve(b, 700, &got);
	assert_int_equal(got, 700);
	memset(p, 'b', 700);
	buf_commit(b, 700);
	assert_int_equal(buf_len(b), 1000);
	assert_int_equal(buf_data(b)[299], 'a');
	assert_int_equal(buf_data(b)[300], 'b');
	buf_clear(b);
	assert_int_equal(buf_room(b), 1000);
	buf_free(b);
}

/* Any mix of adding and dropping behaves like a plain queue. */
static void
test_random(void **state)
{
	static uint8_t model[1 << 20];
	size_t head = 0, tail = 0, got;
	struct buf *b = buf_new(20000);

	(void)state;
	srandom(7);
	while (head < sizeof(model) - 8000) {
		size_t n = (size_t)random() % 8000;

		if (random() % 2) {
			for (size_t i = 0; i < n; i++)
				model[head + i] = (uint8_t)random();
			if (n > 20000 - (head - tail)) {
				assert_int_equal(buf_add(b, model + head, n),
				    -1);
			} else if (random() % 2) {
				assert_int_equal(buf_add(b, model + head, n),
				    0);
				head += n;
			} else if (n > 0) {
				memcpy(buf_reserve(b, n, &got), model + head,
				    n);
				assert_int_equal(got, n);
				buf_commit(b, n);
				head += n;
			}
		} else {
			if (n > head - tail)
				n = head - tail;
			buf_drop(b, n);
			tail += n;
		}
		assert_int_equal(buf_len(b), head - tail);
		assert_int_equal(buf_room(b), 20000 - (head - tail));
		assert_memory_equal(buf_data(b), model + tail, head - tail);
	}
	buf_free(b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_reserve_commit),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
