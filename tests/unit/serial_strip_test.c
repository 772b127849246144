#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serial/strip.h"
#include "server/base/str.h"

static const struct {
	const char *in, *out;
} lines[] = {
	{ "", "" },
	{ "plain text", "plain text" },
	{ "tab\tstays", "tab\tstays" },
	{ "\x1b[1;31mred\x1b[0m text", "red text" },
	{ " 10%\r 50%\r100%", "100%" },
	{ "abcdef\rxy", "xycdef" },
	{ "shwo\b\b\x1b[Kow version", "show version" },
	{ "abc\b\bX", "aXc" },
	{ "a\tb\r", "a       b" },
	{ "done\x1b[72G[ ok ]", "done                [ ok ]" },
	{ "ab\x1b[3Cc", "ab   c" },
	{ "abcd\x1b[2Dx", "abxd" },
	{ "abcd\r\x1b[2P", "cd" },
	{ "ad\b\x1b[2@bc", "abcd" },
	{ "abcd\r\x1b[2X", "  cd" },
	{ "abcd\x1b[1K\rx", "x" },
	{ "abcd\x1b[2Kx", "    x" },
	{ "\x1b[2J\x1b[1;1HBoot\x1b[5;10HSetup", "Boot ~ Setup" },
	{ "a\x1b]0;title\x07" "b", "ab" },
	{ "a\x1b]52;c;ZXZpbA==\x1b\\b", "ab" },
	{ "a\x1bPdcs\x1b\\b", "ab" },
	{ "a\x1b^pm\x18" "b", "ab" },
	{ "a\x1b(Bb\x1b=c\x1b#8d", "abcd" },
	{ "a\x1b[31\x01mb", "amb" },
	{ "a\x1b", "a" },
	{ "a\x1b[", "a" },
	{ "a\x01\x02\x7f" "b", "ab" },
	{ "\xc3\xa5\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa5\xe2\x82\xac"
	    "\xf0\x9f\x98\x80" },
	{ "a\xff" "b\xe2\x82", "a\xef\xbf\xbd" "b\xef\xbf\xbd\xef\xbf\xbd" },
	/* C1 controls begin nothing: at a wrong speed they are everywhere. */
	{ "a\x90" "b\x9d" "c", "a\xef\xbf\xbd" "b\xef\xbf\xbd" "c" },
	{ "a\xc2\x9b" "31mb", "a\xef\xbf\xbd\xef\xbf\xbd" "31mb" },
};

static void
test_lines(void **state)
{
	char out[STRIP_ROOM(200)];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		size_t n = strip_line(lines[i].in, strlen(lines[i].in), out,
		    sizeof(out));

		assert_string_equal(out, lines[i].out);
		assert_int_equal(n, strlen(out));
	}
}

/* A NUL after ESC is no string introducer. */
static void
test_escape_nul(void **state)
{
	char out[STRIP_ROOM(8)];

	(void)state;
	strip_line("a\x1b\0bcd", 6, out, sizeof(out));
	assert_string_equal(out, "abcd");
}

/* An unterminated string gives up after STRIP_STRING bytes. */
static void
test_string_bound(void **state)
{
	static char in[2 * STRIP_STRING], out[STRIP_ROOM(sizeof(in))];

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in, "\x1b]", 2);
	memcpy(in + sizeof(in) - 3, "END", 3);
	assert_int_equal(strip_line(in, sizeof(in), out, sizeof(out)),
	    STRIP_STRING);
	assert_non_null(strstr(out, "END"));
}

static void
check_safe(const char *out, size_t n, bool screen)
{
	const uint8_t *p = (const uint8_t *)out;

	for (size_t i = 0; i < n;) {
		int len = str_utf8(p + i, n - i);

		assert_true(len > 0);
		assert_false(len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);
		if (!screen && p[i] != '\t')
			assert_true(p[i] >= 0x20 && p[i] != 0x7f);
		i += (size_t)len;
	}
}

static uint8_t
noise(void)
{
	static const uint8_t set[] = "\x1b\x1b\x1b[[]PX^_\\;0129?HKJCDGP@X"
	    "mhlntc\r\b\t\v\x07\x18\x90\x9b\x9d\x9c\xc2\xe2\x82";

	return rand() % 4 == 0 ? (uint8_t)rand() :
	    set[(size_t)rand() % (sizeof(set) - 1)];
}

/* Noise can fill its own line, never more, and what fits was promised. */
static void
test_noise(void **state)
{
	static uint8_t in[4096];
	static char out[STRIP_ROOM(4096)];

	(void)state;
	srand(2);
	for (int round = 0; round < 2000; round++) {
		size_t n = (size_t)rand() % (round % 100 == 0 ? 4096 : 200);
		size_t len;

		for (size_t i = 0; i < n; i++) {
			in[i] = noise();
			if (in[i] == '\n')
				in[i] = ' ';
		}
		len = strip_line(in, n, out, sizeof(out));
		assert_true(len <= 8 * n);
		assert_int_equal(len, strlen(out));
		check_safe(out, len, false);
	}
}

static void
expect_screen(const char *in, const char *want, bool plain)
{
	char out[STRIP_SCREEN_ROOM(200)], all[600];
	struct strip_screen s;
	size_t n = strlen(in), len;

	strip_screen_init(&s, plain);
	len = strip_screen(&s, in, n, out);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(out, want, len);
	/* The same byte by byte. */
	strip_screen_init(&s, plain);
	len = 0;
	for (size_t i = 0; i < n; i++)
		len += strip_screen(&s, in + i, 1, all + len);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(all, want, len);
}

static void
test_screen(void **state)
{
	(void)state;
	expect_screen("\x1b[2J\x1b[5;1H\x1b[1mhi\x1b[0m\r\n",
	    "\x1b[2J\x1b[5;1H\x1b[1mhi\x1b[0m\r\n", false);
	expect_screen("a\x1b[cb\x1b[6nc\x1b[>cd\x1b[?1049he\x1b[21tf\x1b[!pg",
	    "abcdefg", false);
	expect_screen("a\x1b]52;c;xx\x07" "b\x1b]0;t\x1b\\c\x1bP+q\x1b\\d",
	    "abcd", false);
	expect_screen("a\x1b]never ends\nb", "a\nb", false);
	expect_screen("a\x1b[?25lb\x1b(0c\x1b" "cd\x1bZe\x05" "f",
	    "a\x1b[?25lb\x1b(0c\x1b[m\x1b[H\x1b[Jdef", false);
	expect_screen("a\x1b" "cb", "ab", true);
	expect_screen("a\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17mb"
	    "\x1b[999999Cc\x1b[1;2;3m", "abc\x1b[1;2;3m", false);
	expect_screen("a\x1b[31\nb", "a\nb", false);
	expect_screen("a\x1b\x1b[1mb", "a\x1b[1mb", false);
	expect_screen("a\x1b]x\x1b[1mb", "a\x1b[1mb", false);
	expect_screen("\xc3\xa5\xc2\x9b" "1m\xff.", "\xc3\xa5\xef\xbf\xbd"
	    "1m\xef\xbf\xbd.", false);
	expect_screen("a\x1b[1mb\r\nc\rd\b\x07", "ab\nc\rd", true);
}

static void
test_screen_noise(void **state)
{
	static uint8_t in[4096];
	static char out[STRIP_SCREEN_ROOM(4096)];
	struct strip_screen s;

	(void)state;
	srand(3);
	strip_screen_init(&s, false);
	for (int round = 0; round < 1000; round++) {
		size_t n = (size_t)rand() % 300, len;

		for (size_t i = 0; i < n; i++)
			in[i] = noise();
		len = strip_screen(&s, in, n, out);
		assert_true(len <= STRIP_SCREEN_ROOM(n));
		check_safe(out, len, true);
		/* A line end brings it back from wherever it was. */
		len = strip_screen(&s, "\nMARK\n", 6, out);
		assert_true(len >= 6);
		assert_memory_equal(out + len - 6, "\nMARK\n", 6);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_escape_nul),
		cmocka_unit_test(test_string_bound),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_screen),
		cmocka_unit_test(test_screen_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
