#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serial/ttyrec.h"
#include "serial/typescript.h"

#define T0 INT64_C(1795340463000000)	/* 2026-11-22T09:41:03Z */

static void
test_lines(void **state)
{
	char text[4 * TYPESCRIPT_LINE];
	struct typescript s;
	size_t n;

	(void)state;
	n = typescript_first_line(text, T0, 80, 24);
	assert_int_equal(n, strlen(text));
	assert_string_equal(text, "Script started on 2026-11-22 "
	    "09:41:03+00:00 [COLUMNS=\"80\" LINES=\"24\"]\n");
	n = typescript_begin(&s, text, T0, 80, 24);
	assert_int_equal(n, strlen(text));
	assert_string_equal(text, "H 0.000000 START_TIME 2026-11-22 "
	    "09:41:03+00:00\nH 0.000000 COLUMNS 80\nH 0.000000 LINES 24\n");
	typescript_timing(&s, text, 1500000, 10);
	assert_string_equal(text, "O 1.500000 10\n");
	typescript_timing(&s, text, 1400000, 1);
	assert_string_equal(text, "O 0.000000 1\n");
	typescript_timing(&s, text, 1600000, 2);
	assert_string_equal(text, "O 0.100000 2\n");
}

static void
test_ttyrec(void **state)
{
	static const uint8_t want[TTYREC_HEAD] = { 0xaf, 0xcc, 0x02, 0x6b,
	    0xa0, 0x86, 0x01, 0, 0x01, 0x02, 0, 0 };
	uint8_t head[TTYREC_HEAD];

	(void)state;
	ttyrec_head(head, INT64_C(0x6b02ccaf) * 1000000 + 100000, 0x201);
	assert_memory_equal(head, want, sizeof(head));
	ttyrec_head(head, -5, 1);
	assert_memory_equal(head, "\0\0\0\0\0\0\0\0\1\0\0", 11);
}

/* tar(1) reads it. */
static void
test_tar(void **state)
{
	char head[TAR_BLOCK], zeros[TAR_BLOCK] = "", line[200];
	FILE *f = fopen("/tmp/oobd-typescript-test.tar", "w");

	(void)state;
	assert_non_null(f);
	tar_head(head, "gw.timing", 5, T0);
	fwrite(head, 1, TAR_BLOCK, f);
	memcpy(zeros, "hello", 5);
	fwrite(zeros, 1, TAR_BLOCK, f);
	memset(zeros, 0, 5);
	fwrite(zeros, 1, TAR_BLOCK, f);
	fwrite(zeros, 1, TAR_BLOCK, f);
	fclose(f);
	f = popen("tar xOf /tmp/oobd-typescript-test.tar gw.timing; "
	    "rm /tmp/oobd-typescript-test.tar", "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "hello");
	assert_int_equal(pclose(f), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_ttyrec),
		cmocka_unit_test(test_tar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
