#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modem/command.h"
#include "modem/sender.h"

static int
parse(const char *text, struct command *c)
{
	/* Exactly its bytes, so that a sanitizer sees one read too many. */
	size_t n = strlen(text);
	char *copy = malloc(n == 0 ? 1 : n);
	int r;

	memcpy(copy, text, n);
	r = command_parse(copy, n, c);
	free(copy);
	return r;
}

static void
good_commands(void **state)
{
	static const struct {
		const char *text;
		enum command_verb verb;
		unsigned arg;
		const char *code;
	} good[] = {
		{ "up 60 12345678", COMMAND_UP, 60, "12345678" },
		{ "OOB UP 60 12345678", COMMAND_UP, 60, "12345678" },
		{ "oob up 00000000", COMMAND_UP, 0, "00000000" },
		{ "Up 12345678", COMMAND_UP, 0, "12345678" },
		{ "up 1 12345678", COMMAND_UP, 1, "12345678" },
		{ "up 1440 12345678", COMMAND_UP, 1440, "12345678" },
		{ "up 060 12345678", COMMAND_UP, 60, "12345678" },
		{ "down 12345678", COMMAND_DOWN, 0, "12345678" },
		{ "Extend 30 12345678", COMMAND_EXTEND, 30, "12345678" },
		{ "extend 12345678", COMMAND_EXTEND, 0, "12345678" },
		{ "STATUS 12345678", COMMAND_STATUS, 0, "12345678" },
		{ "ping 12345678", COMMAND_PING, 0, "12345678" },
		{ "reset 12345678", COMMAND_RESET, 0, "12345678" },
		{ "tail 12345678", COMMAND_TAIL, 0, "12345678" },
		{ "tail 20 12345678", COMMAND_TAIL, 20, "12345678" },
		{ "who 12345678", COMMAND_WHO, 0, "12345678" },
		{ "  oOb \t up\r\n\n60    12345678 \n", COMMAND_UP, 60,
		    "12345678" },
		{ "\xc2\xa0oob\xc2\xa0\xc2\xa0up \xc2\xa0 60\xc2\xa0"
		    "12345678\xc2\xa0", COMMAND_UP, 60, "12345678" },
		/* Marks of no width, as phones and clipboards add them. */
		{ "\xef\xbb\xbf" "up 60\xe2\x80\xaf" "12345678"
		    "\xe2\x80\x8b", COMMAND_UP, 60, "12345678" },
		{ "\xe2\x80\x8e" "ping\xe2\x80\x8f \xe2\x81\xa0"
		    "12345678\xe2\x80\x8c\xe2\x80\x8d", COMMAND_PING, 0,
		    "12345678" },
	};
	struct command c;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(parse(good[i].text, &c), 0);
		assert_int_equal(c.verb, good[i].verb);
		assert_int_equal(c.arg, good[i].arg);
		assert_string_equal(c.code, good[i].code);
	}
}

static void
everything_else(void **state)
{
	static const char *const bad[] = {
		"", " ", "oob", "up", "12345678", "oob 12345678",
		"oob up", "up up 12345678", "oob oob up 12345678",
		"up 60", "up 60 1234567", "up 60 123456789",
		"up 60 1234567a", "up 60 12345678 x", "up 60 12345678 12345678",
		"up 12345678 12345678", "up 0 12345678", "up 1441 12345678",
		"up 00060 12345678", "up -1 12345678", "up +1 12345678",
		"up 1.5 12345678", "up 60min 12345678", "up 60 60 12345678",
		"oob up 60 60 12345678", "down 5 12345678", "status 1 12345678",
		"ping 1 12345678", "reset 1 12345678", "who 1 12345678",
		"tail 0 12345678", "tail 21 12345678", "upp 12345678",
		"u 12345678", "up12345678", "up:12345678", "oobup 12345678",
		"up 1234 5678", "up\xa0""12345678", "up\xc2""12345678",
		"up \xef\xbc\x91\xef\xbc\x92 12345678", "reboot 12345678",
		"12345678 up", "up 60 12345678.", "up 4294967297 12345678",
		"extend 99999999999999999999 12345678", "up 12345678\xc2",
		"up\v12345678",
	};
	static const struct command none;
	struct command c;
	char nul[] = "up\0 12345678", at_end[] = "up 12345678";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&c, 0x55, sizeof(c));
		if (parse(bad[i], &c) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_memory_equal(&c, &none, sizeof(c));
	}
	assert_int_equal(command_parse(nul, sizeof(nul) - 1, &c), -1);
	assert_int_equal(command_parse(at_end, sizeof(at_end), &c), -1);
	assert_int_equal(command_parse(at_end, sizeof(at_end) - 1, &c), 0);
}

static void
long_texts(void **state)
{
	char text[400];
	struct command c;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "up", 2);
	memcpy(text + COMMAND_MAX - 8, "12345678", 8);
	assert_int_equal(command_parse(text, COMMAND_MAX, &c), 0);
	assert_int_equal(command_parse(text, COMMAND_MAX + 1, &c), -1);
	assert_int_equal(command_parse(text, sizeof(text), &c), -1);
}

static void
names_parse_to_themselves(void **state)
{
	struct command c;
	char text[64];

	(void)state;
	for (int v = COMMAND_UP; v <= COMMAND_WHO; v++) {
		snprintf(text, sizeof(text), "%s 87654321",
		    command_name((enum command_verb)v));
		assert_int_equal(parse(text, &c), 0);
		assert_int_equal(c.verb, v);
	}
}

static void
senders(void **state)
{
	static const char *const list[] = {
		"+46701234567", "+4670123456",
	};
	static const struct {
		uint8_t toa;
		const char *text;
		int at;
	} tries[] = {
		{ 0x91, "+46701234567", 0 }, { 0x91, "+4670123456", 1 },
		{ 0x90, "+46701234567", 0 },
		{ 0x91, "+467012345678", -1 }, { 0x91, "+467012345", -1 },
		{ 0x91, "46701234567", -1 }, { 0x91, "", -1 },
		{ 0x91, "0046701234567", -1 }, { 0x91, "+46701234567 ", -1 },
		/* National, network, short, unknown, alphanumeric. */
		{ 0xa1, "+46701234567", -1 }, { 0xa1, "0701234567", -1 },
		{ 0xb1, "+46701234567", -1 }, { 0x81, "46701234567", -1 },
		{ 0x81, "+46701234567", -1 }, { 0xd0, "+46701234567", -1 },
		{ 0xd0, "46701234567", -1 }, { 0xd1, "+46701234567", -1 },
		{ 0x11, "+46701234567", -1 }, { 0x98, "+46701234567", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		assert_int_equal(sender_find(list, 2, tries[i].toa,
		    tries[i].text), tries[i].at);
	/* An empty list is nobody, not everybody. */
	assert_int_equal(sender_find(list, 0, 0x91, list[0]), -1);
	assert_true(sender_is_e164("+46701234567"));
	assert_true(sender_is_e164("+1234567"));
	assert_true(sender_is_e164("+123456789012345"));
	assert_false(sender_is_e164("+1234567890123456"));
	assert_false(sender_is_e164("+123456"));
	assert_false(sender_is_e164("+0123456789"));
	assert_false(sender_is_e164("46701234567"));
	assert_false(sender_is_e164("+4670123456a"));
	assert_false(sender_is_e164("+"));
	assert_false(sender_is_e164(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_commands),
		cmocka_unit_test(everything_else),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(names_parse_to_themselves),
		cmocka_unit_test(senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
