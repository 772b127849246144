#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serial/keys.h"

#define E "\005"

/* Type a string; what reaches the line, and the last thing to be done. */
static enum keys_does
type(struct keys *k, const char *in, char *line)
{
	enum keys_does does = KEYS_NOTHING, last = KEYS_NOTHING;
	uint8_t out[KEYS_HELD_MAX];
	size_t n = strlen(in), at = 0, nout;

	*line = '\0';
	while (at < n) {
		size_t plain = keys_plain(k, in + at, n - at);

		if (plain > 0) {
			strncat(line, in + at, plain);
			at += plain;
			continue;
		}
		does = keys_byte(k, (uint8_t)in[at++], out, &nout);
		assert_true(nout <= KEYS_HELD_MAX);
		strncat(line, (char *)out, nout);
		if (does != KEYS_NOTHING)
			last = does;
	}
	return last;
}

static void
each_key(void **state)
{
	static const struct {
		const char *typed;
		enum keys_does does;
		const char *line;
	} cases[] = {
		{ E "c.", KEYS_LEAVE, "" },
		{ E "c?", KEYS_HELP, "" },
		{ E "ch", KEYS_HELP, "" },
		{ E "cf", KEYS_TAKE, "" },
		{ E "cs", KEYS_WATCH, "" },
		{ E "ca", KEYS_ASK, "" },
		{ E "cw", KEYS_WHO, "" },
		{ E "cr", KEYS_RECENT, "" },
		{ E "cp", KEYS_RECENT_MORE, "" },
		{ E "cb", KEYS_BREAK, "" },
		{ E "cl0", KEYS_BREAK, "" },
		{ E "cl1", KEYS_UNKNOWN, "" },
		{ E "cn", KEYS_NOTE, "" },
		{ E "c;", KEYS_SWITCH, "" },
		{ E "ci", KEYS_INFO, "" },
		{ E "cL", KEYS_RECORD, "" },
		{ E "c" E, KEYS_LITERAL, E },
		{ E "cz", KEYS_UNKNOWN, "" },
		{ "abc", KEYS_NOTHING, "abc" },
		{ "a" E "x", KEYS_NOTHING, "a" E "x" },
		{ E E "x", KEYS_NOTHING, E E "x" },
		{ E E "c.", KEYS_LEAVE, E },
		{ "x" E "c?y", KEYS_HELP, "xy" },
	};
	struct keys k;
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		keys_init(&k, KEYS_LEAD);
		assert_int_equal(type(&k, cases[i].typed, line),
		    cases[i].does);
		assert_string_equal(line, cases[i].line);
		assert_false(keys_pending(&k));
	}
}

static void
held_back_and_given_back(void **state)
{
	static const char *const typed[] = { E, E "c", E "cl" };
	uint8_t out[KEYS_HELD_MAX];
	struct keys k;
	char line[64];

	(void)state;
	keys_init(&k, KEYS_LEAD);
	assert_int_equal(keys_flush(&k, out), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(type(&k, typed[i], line), KEYS_NOTHING);
		assert_string_equal(line, "");
		assert_true(keys_pending(&k));
		assert_int_equal(keys_flush(&k, out), strlen(typed[i]));
		assert_memory_equal(out, typed[i], strlen(typed[i]));
		assert_false(keys_pending(&k));
	}
}

static void
other_lead_and_none(void **state)
{
	char line[64], text[KEYS_TEXT];
	struct keys k;

	(void)state;
	keys_init(&k, 0x14);
	assert_int_equal(type(&k, E "c.", line), KEYS_NOTHING);
	assert_string_equal(line, E "c.");
	assert_int_equal(type(&k, "\024c.", line), KEYS_LEAVE);
	assert_int_equal(type(&k, "\024c\024", line), KEYS_LITERAL);
	assert_string_equal(line, "\024");
	keys_init(&k, KEYS_OFF);
	assert_int_equal(type(&k, E "c.\024", line), KEYS_NOTHING);
	assert_string_equal(line, E "c.\024");
	assert_string_equal(keys_text(text, KEYS_LEAD), "^Ec");
	assert_string_equal(keys_text(text, 0x14), "^Tc");
	assert_string_equal(keys_text(text, 0x1d), "^]c");
	assert_string_equal(keys_text(text, KEYS_OFF), "");
}

static void
all_bytes_pass(void **state)
{
	struct keys k;
	uint8_t all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	keys_init(&k, KEYS_OFF);
	assert_int_equal(keys_plain(&k, all, 256), 256);
	keys_init(&k, KEYS_LEAD);
	assert_int_equal(keys_plain(&k, all, 256), 5);
	assert_int_equal(keys_plain(&k, all + 6, 250), 250);
}

static void
lead_from_text(void **state)
{
	int lead = 99;

	(void)state;
	assert_int_equal(keys_parse_lead("^T", &lead), 0);
	assert_int_equal(lead, 0x14);
	assert_int_equal(keys_parse_lead("^t", &lead), 0);
	assert_int_equal(lead, 0x14);
	assert_int_equal(keys_parse_lead("^]", &lead), 0);
	assert_int_equal(lead, 0x1d);
	assert_int_equal(keys_parse_lead("off", &lead), 0);
	assert_int_equal(lead, KEYS_OFF);
	assert_int_equal(keys_parse_lead("\005", &lead), 0);
	assert_int_equal(lead, 5);
	lead = 99;
	assert_int_equal(keys_parse_lead("", &lead), -1);
	assert_int_equal(keys_parse_lead("^", &lead), -1);
	assert_int_equal(keys_parse_lead("^@", &lead), -1);
	assert_int_equal(keys_parse_lead("x", &lead), -1);
	assert_int_equal(keys_parse_lead("^TT", &lead), -1);
	assert_int_equal(lead, 99);
}

/* Every key of the help does something, and is what the help says. */
static void
help_agrees(void **state)
{
	struct keys_help h;
	struct keys k;
	char line[64], typed[8];
	size_t n;

	(void)state;
	for (n = 0; keys_help_at(n, &h); n++) {
		assert_non_null(h.help);
		assert_true(strlen(h.more) > 10);
		keys_init(&k, KEYS_LEAD);
		strcpy(typed, E "c");
		strcat(typed, strcmp(h.key, "^E") == 0 ? E : h.key);
		assert_int_not_equal(type(&k, typed, line), KEYS_UNKNOWN);
		assert_false(keys_pending(&k));
	}
	assert_int_equal(n, 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key),
		cmocka_unit_test(held_back_and_given_back),
		cmocka_unit_test(other_lead_and_none),
		cmocka_unit_test(all_bytes_pass),
		cmocka_unit_test(lead_from_text),
		cmocka_unit_test(help_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
