#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serial/record.h"
#include "server/base/str.h"

static const struct stamp at = { 1795340463123456, { 5821004211 } };

static size_t
encode(char *dst, const struct record *r)
{
	struct record_clock clock = { .known = false };

	return record_encode(dst, r, &clock);
}

static void
expect_line(const struct record *r, const char *want)
{
	char line[RECORD_MAX];
	size_t n = encode(line, r);

	assert_int_equal(line[n - 1], '\n');
	line[n - 1] = '\0';
	assert_string_equal(line, want);
}

static void
test_form(void **state)
{
	struct record r = { .type = RECORD_CRLF, .stamp = at, .offset = 4711,
	    .data = (const uint8_t *)"usb 1-1: new\tdevice", .n = 19 };
	static const struct record_note notes[] = { { 3, 17 }, { 20, 250 } };

	(void)state;
	expect_line(&r, "2026-11-22T09:41:03.123456Z 5821.004211 o 4711 "
	    "usb 1-1: new\tdevice");
	r.notes = notes;
	r.nnotes = 2;
	expect_line(&r, "2026-11-22T09:41:03.123456Z 5821.004211 o 4711 "
	    "usb 1-1: new\tdevice\\@3:17,20:250");
	r.nnotes = 0;
	r.type = RECORD_LF;
	r.offset = 0;
	r.n = 0;
	expect_line(&r, "2026-11-22T09:41:03.123456Z 5821.004211 n 0 ");
}

static void
test_escapes(void **state)
{
	static const uint8_t data[] = "a\\b\rc\x1b[1m\x00\x7f\x9b\xc3\xa5"
	    "\xc2\x9b\xe2\x82\n\xff";
	struct record r = { .type = RECORD_CUT, .stamp = at, .data = data,
	    .n = sizeof(data) - 1 };

	(void)state;
	expect_line(&r, "2026-11-22T09:41:03.123456Z 5821.004211 c 0 "
	    "a\\\\b\\rc\\e[1m\\x00\\x7f\\x9b\xc3\xa5"
	    "\\xc2\\x9b\\xe2\\x82\\x0a\\xff");
}

/* Events keep the \xNN that str_safe made; nothing makes a trailer. */
static void
test_event_text(void **state)
{
	static const char text[] = "note text=a\\x1bb \\@1:2 c\\q\n";
	struct record r = { .type = RECORD_EVENT, .stamp = at,
	    .data = (const uint8_t *)text, .n = strlen(text) }, back;
	struct record_space space;
	char line[RECORD_MAX];
	size_t n;

	(void)state;
	expect_line(&r, "2026-11-22T09:41:03.123456Z 5821.004211 m 0 "
	    "note text=a\\x1bb \\\\@1:2 c\\\\q\\x0a");
	n = encode(line, &r);
	assert_int_equal(record_decode(line, n - 1, &back, &space), 0);
	assert_int_equal(back.nnotes, 0);
	assert_memory_equal(back.data, "note text=a\x1b" "b \\@1:2 c\\q\n",
	    back.n);
}

static void
check_round(const struct record *r)
{
	static struct record_space space;
	static char line[RECORD_MAX];
	struct record back;
	size_t n = encode(line, r);
	const uint8_t *p = (const uint8_t *)line;

	assert_true(n <= RECORD_MAX);
	assert_ptr_equal(memchr(line, '\n', n), line + n - 1);
	for (size_t i = 0; i < n - 1;) {
		int len = str_utf8(p + i, n - i);

		assert_true(len > 0);
		assert_true(p[i] == '\t' || (p[i] >= 0x20 && p[i] != 0x7f));
		assert_false(len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);
		i += (size_t)len;
	}
	assert_int_equal(record_decode(line, n - 1, &back, &space), 0);
	assert_int_equal(back.type, r->type);
	assert_int_equal(back.stamp.utc_us, r->stamp.utc_us);
	assert_int_equal(back.stamp.mono.us, r->stamp.mono.us);
	assert_int_equal(back.offset, r->offset);
	assert_int_equal(back.n, r->n);
	assert_memory_equal(back.data, r->data, r->n);
	if (record_term(r) == 2)
		assert_memory_equal(back.data + back.n, "\r\n", 2);
	if (record_term(r) == 1)
		assert_memory_equal(back.data + back.n, "\n", 1);
	assert_int_equal(back.nnotes, r->nnotes);
	for (size_t i = 0; i < r->nnotes; i++) {
		assert_int_equal(back.notes[i].at, r->notes[i].at);
		assert_int_equal(back.notes[i].ms, r->notes[i].ms);
	}
}

/* Bytes that are likely to be trouble. */
static uint8_t
nasty(void)
{
	static const uint8_t set[] = "\\\\x@:,e\r\n\t\x1b\x00\x7f\x9b\xc2\xc3"
	    "\xe2\x82\xac\xf0\x9f\x98\x80\xff\xed\xa0";

	return rand() % 3 == 0 ? (uint8_t)rand() :
	    set[(size_t)rand() % (sizeof(set) - 1)];
}

static void
test_round_trip(void **state)
{
	static const enum record_type types[] = { RECORD_CRLF, RECORD_LF,
	    RECORD_CUT, RECORD_PREVIEW };
	static uint8_t data[RECORD_BYTES];
	static struct record_note notes[RECORD_NOTES];
	struct record r = { .data = data, .notes = notes };

	(void)state;
	srand(1);
	for (int round = 0; round < 3000; round++) {
		size_t max = round % 50 == 0 ? RECORD_BYTES : 100;

		r.type = types[rand() % 4];
		r.stamp.utc_us = (int64_t)rand() * 1000003;
		r.stamp.mono.us = (int64_t)rand() * 1003;
		r.offset = (uint64_t)rand() << 31 | (uint64_t)rand();
		r.n = (size_t)rand() % (max + 1);
		for (size_t i = 0; i < r.n; i++)
			data[i] = nasty();
		r.nnotes = 0;
		while (r.nnotes < RECORD_NOTES && rand() % 4 != 0) {
			uint32_t last = r.nnotes > 0 ?
			    notes[r.nnotes - 1].at : 0;
			uint32_t next = last + 1 + (uint32_t)rand() % 9;

			if (next >= r.n + record_term(&r))
				break;
			notes[r.nnotes].at = next;
			notes[r.nnotes].ms = (r.nnotes > 0 ?
			    notes[r.nnotes - 1].ms : 0) +
			    (uint32_t)rand() % 1000;
			r.nnotes++;
		}
		check_round(&r);
	}
}

/* The longest line there can be. */
static void
test_worst(void **state)
{
	static uint8_t data[RECORD_BYTES];
	static struct record_note notes[RECORD_NOTES];
	struct record r = { .type = RECORD_PREVIEW, .data = data,
	    .n = RECORD_BYTES, .notes = notes, .nnotes = RECORD_NOTES,
	    .offset = UINT64_MAX - 100000 };

	(void)state;
	r.stamp.utc_us = INT64_C(250000000000000000);
	r.stamp.mono.us = INT64_MAX / 4;
	memset(data, 0xff, sizeof(data));
	for (uint32_t i = 0; i < RECORD_NOTES; i++) {
		notes[i].at = RECORD_BYTES - RECORD_NOTES + i;
		notes[i].ms = UINT32_MAX - RECORD_NOTES + i;
	}
	check_round(&r);
}

static void
test_damaged(void **state)
{
	static const char good[] = "2026-11-22T09:41:03.123456Z 5821.004211 "
	    "o 4711 text\\@1:20,3:30";
	static const char *const bad[] = {
		"",
		"# a foreign line",
		"2026-11-22T09:41:03.123456Z",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1",
		"2026-13-22T09:41:03.123456Z 1.000000 o 1 x",
		"2026-11-22T09:41:03.123456Z 1.00000 o 1 x",
		"2026-11-22T09:41:03.123456Z 1.000000 z 1 x",
		"2026-11-22T09:41:03.123456Z 1.000000 o 01 x",
		"2026-11-22T09:41:03.123456Z 1.000000 o -1 x",
		"2026-11-22T09:41:03.123456Z 1.000000 o 99999999999999999999 x",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 \\q",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 \\x4",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 \\x4G",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 \\",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 \xff",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 a\x1b",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 ab\\@",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 ab\\@1:",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 ab\\@1:5,",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 ab\\@0:5",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 ab\\@4:5",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 ab\\@1:5,1:6",
		"2026-11-22T09:41:03.123456Z 1.000000 o 1 ab\\@1:5,2:4",
	};
	struct record_space space;
	struct record r;

	(void)state;
	assert_int_equal(record_decode(good, strlen(good), &r, &space), 0);
	assert_int_equal(r.nnotes, 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (record_decode(bad[i], strlen(bad[i]), &r, &space) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void
test_times(void **state)
{
	static const struct record_note notes[] = { { 2, 100 }, { 5, 3000 } };
	struct record r = { .type = RECORD_CRLF, .offset = 10, .n = 4,
	    .notes = notes, .nnotes = 2 };

	(void)state;
	r.stamp.utc_us = 1000000;
	assert_int_equal(record_end(&r), 16);
	assert_int_equal(record_end_us(&r), 4000000);
	assert_int_equal(record_find(&r, 1000000), 0);
	assert_int_equal(record_find(&r, 1000001), 2);
	assert_int_equal(record_find(&r, 1100000), 2);
	assert_int_equal(record_find(&r, 1100001), 5);
	assert_int_equal(record_find(&r, 4000001), 6);
	r.type = RECORD_EVENT;
	assert_int_equal(record_end(&r), 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_event_text),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_worst),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
