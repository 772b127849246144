#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/base/frame.h"

static struct frame_out out;

static struct frame
parsed(void)
{
	struct frame f;
	size_t used;

	assert_int_equal(frame_parse(out.block, out.len, &f, &used), 1);
	assert_int_equal(used, out.len);
	return f;
}

static void
test_round_trip(void **state)
{
	struct frame f;
	char text[16];
	size_t n;

	(void)state;
	frame_start(&out, 0x1234);
	frame_put_u8(&out, 0xfe);
	frame_put_u16(&out, 0xfedc);
	frame_put_u32(&out, 0xfedcba98);
	frame_put_u64(&out, 0xfedcba9876543210);
	frame_put_str(&out, "hello");
	frame_put_str(&out, "");
	frame_put_bytes(&out, "a\0b", 3);
	assert_int_equal(frame_finish(&out, FRAME_HAS_FD), 0);
	f = parsed();
	assert_int_equal(f.type, 0x1234);
	assert_int_equal(f.flags, FRAME_HAS_FD);
	assert_int_equal(frame_u8(&f), 0xfe);
	assert_int_equal(frame_u16(&f), 0xfedc);
	assert_int_equal(frame_u32(&f), 0xfedcba98);
	assert_true(frame_u64(&f) == 0xfedcba9876543210);
	frame_str(&f, text, sizeof(text));
	assert_string_equal(text, "hello");
	frame_str(&f, text, sizeof(text));
	assert_string_equal(text, "");
	assert_false(frame_ok(&f));
	assert_memory_equal(frame_rest(&f, &n), "a\0b", 3);
	assert_int_equal(n, 3);
	assert_true(frame_ok(&f));
}

/* The layout is a contract: docs/frames.md. */
static void
test_bytes(void **state)
{
	static const uint8_t want[] = {
		0, 0, 0, 8, 1, 2, 0, 1, 0xaa, 0, 5, 0, 3, 'x', 'y', 'z',
	};

	(void)state;
	frame_start(&out, 0x0102);
	frame_put_u8(&out, 0xaa);
	frame_put_u16(&out, 5);
	frame_put_str(&out, "xyz");
	assert_int_equal(frame_finish(&out, 1), 0);
	assert_int_equal(out.len, sizeof(want));
	assert_memory_equal(out.block, want, sizeof(want));
}

static void
test_partial(void **state)
{
	struct frame f;
	size_t used;

	(void)state;
	frame_start(&out, 7);
	frame_put_str(&out, "hello");
	frame_finish(&out, 0);
	for (size_t n = 0; n < out.len; n++)
		assert_int_equal(frame_parse(out.block, n, &f, &used), 0);
	assert_int_equal(frame_parse(out.block, out.len + 5, &f, &used), 1);
	assert_int_equal(used, out.len);
}

static void
test_too_long(void **state)
{
	uint8_t head[FRAME_HEAD] = { 0, 1, 0, 1 };
	struct frame f;
	size_t used;

	(void)state;
	assert_int_equal(frame_parse(head, sizeof(head), &f, &used), -1);
	head[3] = 0;
	assert_int_equal(frame_parse(head, sizeof(head), &f, &used), 0);
	head[0] = 0xff;
	assert_int_equal(frame_parse(head, sizeof(head), &f, &used), -1);
}

/* Once a field is missing, everything after it is, too. */
static void
test_missing_is_sticky(void **state)
{
	struct frame f;
	char text[8];
	size_t n;

	(void)state;
	frame_start(&out, 7);
	frame_put_u16(&out, 0x4142);
	frame_put_u8(&out, 0x43);
	frame_finish(&out, 0);
	f = parsed();
	assert_int_equal(frame_u32(&f), 0);
	assert_int_equal(frame_u8(&f), 0);
	assert_int_equal(frame_u16(&f), 0);
	assert_true(frame_u64(&f) == 0);
	frame_str(&f, text, sizeof(text));
	assert_string_equal(text, "");
	frame_rest(&f, &n);
	assert_int_equal(n, 0);
	assert_false(frame_ok(&f));
}

static void
test_strings_refused(void **state)
{
	struct frame f;
	char text[4];

	(void)state;
	/* One more than fits. */
	frame_start(&out, 7);
	frame_put_str(&out, "abcd");
	frame_finish(&out, 0);
	f = parsed();
	frame_str(&f, text, sizeof(text));
	assert_false(frame_ok(&f));
	/* Exactly fits. */
	frame_start(&out, 7);
	frame_put_str(&out, "abc");
	frame_finish(&out, 0);
	f = parsed();
	frame_str(&f, text, sizeof(text));
	assert_string_equal(text, "abc");
	assert_true(frame_ok(&f));
	/* A NUL inside. */
	frame_start(&out, 7);
	frame_put_u16(&out, 3);
	frame_put_bytes(&out, "a\0c", 3);
	frame_finish(&out, 0);
	f = parsed();
	frame_str(&f, text, sizeof(text));
	assert_string_equal(text, "");
	assert_false(frame_ok(&f));
	/* Longer than the frame. */
	frame_start(&out, 7);
	frame_put_u16(&out, 3);
	frame_put_bytes(&out, "ab", 2);
	frame_finish(&out, 0);
	f = parsed();
	frame_str(&f, text, sizeof(text));
	assert_false(frame_ok(&f));
}

static void
test_overflow(void **state)
{
	static char big[FRAME_MAX + 1];

	(void)state;
	frame_start(&out, 7);
	frame_put_bytes(&out, big, FRAME_MAX);
	assert_int_equal(frame_finish(&out, 0), 0);
	assert_int_equal(out.len, FRAME_HEAD + FRAME_MAX);
	frame_put_u8(&out, 1);
	assert_int_equal(frame_finish(&out, 0), -1);
	frame_start(&out, 7);
	frame_put_bytes(&out, big, FRAME_MAX + 1);
	assert_int_equal(frame_finish(&out, 0), -1);
	/* It stays bad, though this would fit. */
	frame_put_u8(&out, 1);
	assert_int_equal(frame_finish(&out, 0), -1);
	memset(big, 'x', FRAME_MAX);
	frame_start(&out, 7);
	frame_put_str(&out, big);
	assert_int_equal(frame_finish(&out, 0), -1);
	frame_start(&out, 7);
	assert_int_equal(frame_finish(&out, 0), 0);
	assert_int_equal(out.len, FRAME_HEAD);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_missing_is_sticky),
		cmocka_unit_test(test_strings_refused),
		cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
