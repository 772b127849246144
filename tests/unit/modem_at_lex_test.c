#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "modem/at_lex.h"

/* All tokens of bytes, given step at a time, as "L:text|P|..." in out. */
static void
run(struct at_lex *l, const void *bytes, size_t n, size_t step, char *out)
{
	static const char names[] = "-LPXJ";
	const uint8_t *p = bytes;
	struct at_token t;
	size_t used, part;

	*out = '\0';
	while (n > 0) {
		part = n < step ? n : step;
		used = at_lex_next(l, p, part, &t);
		assert_true(used <= part);
		assert_true(used > 0 || t.kind != AT_NONE);
		p += used;
		n -= used;
		if (t.kind == AT_NONE)
			continue;
		assert_int_equal(strlen(t.text), t.len);
		out += sprintf(out, "%c%s:%s|", names[t.kind],
		    t.hex ? "h" : "", t.text);
	}
}

static void
check(enum at_lex_mode mode, bool prompt, const char *in, const char *want)
{
	char out[4096];

	for (size_t step = 1; step <= strlen(in); step++) {
		struct at_lex *l = at_lex_new(mode);

		at_lex_expect_prompt(l, prompt);
		run(l, in, strlen(in), step, out);
		assert_string_equal(out, want);
		at_lex_free(l);
	}
}

static void
test_line_ends(void **state)
{
	(void)state;
	check(AT_LAX, false, "\r\nOK\r\n", "L:OK|");
	check(AT_LAX, false, "OK\rOK\nOK\r\r\nOK\n\r\n", "L:OK|L:OK|L:OK|L:OK|");
	check(AT_LAX, false, "AT+CSQ\r\r\n+CSQ: 9,99\r\n\r\nOK\r\n",
	    "L:AT+CSQ|L:+CSQ: 9,99|L:OK|");
	check(AT_LAX, false, "half", "");
}

static void
test_noise(void **state)
{
	const char nul[] = "\0\0\r\n\0OK\0\r\n";
	char out[64];
	struct at_lex *l = at_lex_new(AT_LAX);

	(void)state;
	run(l, nul, sizeof(nul) - 1, 1, out);
	assert_string_equal(out, "L:OK|");
	at_lex_free(l);
	check(AT_LAX, false, "\033O\001K\032\r\n", "L:OK|");
	check(AT_LAX, false, "+COPS: 0,0,\"\xc3\x85s\"\r", 
	    "L:+COPS: 0,0,\"\xc3\x85s\"|");
}

static void
test_hex(void **state)
{
	(void)state;
	check(AT_LAX, false, "07914497\r\n0791449\r\n07FFgg\r\n",
	    "Lh:07914497|L:0791449|L:07FFgg|");
}

static void
test_prompt(void **state)
{
	(void)state;
	check(AT_LAX, true, "\r\n> ", "P:>|");
	check(AT_LAX, true, "\r\n>\r\nOK\r\n", "P:>|L:OK|");
	/* A URC before, the echo of the PDU behind. */
	check(AT_LAX, true, "\r\n+CMTI: \"SM\",1\r\n\r\n> 0011\r\nOK\r\n",
	    "L:+CMTI: \"SM\",1|P:>|Lh:0011|L:OK|");
	/* Not expected, or not at the beginning: text. */
	check(AT_LAX, false, "> a\r\n", "L:> a|");
	check(AT_LAX, true, "a> b\r\n> ", "L:a> b|P:>|");
	/* One is expected, one is given. */
	check(AT_LAX, true, "> > x\r", "P:>|L:> x|");
}

static void
test_stops_behind_cr(void **state)
{
	const uint8_t bytes[] = "\r\nCONNECT\r\n~\xff}#";
	struct at_lex *l = at_lex_new(AT_LAX);
	struct at_token t;

	(void)state;
	assert_int_equal(at_lex_next(l, bytes, sizeof(bytes) - 1, &t), 10);
	assert_string_equal(t.text, "CONNECT");
	at_lex_free(l);
}

static void
test_long(void **state)
{
	static char in[3 * AT_LINE_MAX], out[4 * AT_LINE_MAX];
	struct at_lex *l = at_lex_new(AT_LAX);
	size_t i;

	(void)state;
	memset(in, 'A', sizeof(in));
	memcpy(in + sizeof(in) - 6, "\r\nOK\r\n", 6);
	for (i = 1; i < 5000; i += 977) {
		run(l, in, sizeof(in), i, out);
		assert_int_equal(out[0], 'X');
		assert_int_equal(strspn(out + 2, "A"), AT_LINE_MAX);
		assert_string_equal(out + 2 + AT_LINE_MAX, "|L:OK|");
	}
	/* Exactly as long as a line may be. */
	run(l, in, AT_LINE_MAX, 7, out);
	run(l, "\r", 1, 1, out);
	assert_int_equal(out[0], 'L');
	at_lex_free(l);
}

static void
test_reset(void **state)
{
	struct at_lex *l = at_lex_new(AT_LAX);
	char out[64];

	(void)state;
	at_lex_expect_prompt(l, true);
	run(l, "half a l", 8, 8, out);
	at_lex_reset(l);
	run(l, "> OK\r", 5, 5, out);
	assert_string_equal(out, "L:> OK|");
	at_lex_free(l);
}

static void
test_strict(void **state)
{
	(void)state;
	check(AT_STRICT, false, "AT+CSQ\r\r\n+CSQ: 9,99\r\n\r\nOK\r\n",
	    "L:AT+CSQ|L:+CSQ: 9,99|L:OK|");
	check(AT_STRICT, false, "ATI\rx\r\n", "L:ATI|L:x|");
	check(AT_STRICT, false, "OK\n", "J:OK|");
	check(AT_STRICT, false, "OK\rOK\r\n", "J:OK|L:OK|");
	check(AT_STRICT, false, "O\001K\r\nOK\r\n", "J:OK|L:OK|");
}

static void
test_strict_prompt(void **state)
{
	(void)state;
	check(AT_STRICT, true, "\r\n> 00\r\n", "P:>|Lh:00|");
	check(AT_STRICT, true, "\r\n>x\r\n", "L:>x|");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_prompt),
		cmocka_unit_test(test_stops_behind_cr),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_strict_prompt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
