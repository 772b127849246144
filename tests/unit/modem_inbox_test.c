#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "inbox_help.h"

/*
 * The ordinary life
 */
static void
test_a_message(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	assert_true(inbox_is_swept(m->inbox));
	assert_true(arrives(m, 0, HEAD UP));
	poke(m);
	assert_int_equal(m->given, 1);
	assert_string_equal(m->text, "up");
	assert_string_equal(m->sender, "+436601234567");
	assert_int_equal(m->parts, 1);
	assert_false(m->old);
	assert_int_equal(stored(m), 0);
	assert_false(inbox_is_busy(m->inbox));
}

static void
test_every_store(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	for (size_t s = 0; s < 3; s++)
		arrives(m, s, numbered((unsigned)s));
	poke(m);
	assert_int_equal(m->given, 3);
	assert_int_equal(stored(m), 0);
}

static void
test_polls(void **state)
{
	struct modem *m = *state;
	unsigned before;

	pass(m, 1000);
	/* No report at all: found within a minute. */
	arrives(m, 1, HEAD UP);
	pass(m, 58000);
	assert_int_equal(m->given, 0);
	pass(m, 3000);
	assert_int_equal(m->given, 1);
	/* Ten minutes of nothing. */
	before = m->commands[LIST];
	pass(m, 600000);
	assert_int_equal(m->commands[LIST] - before, 3 * 10);
	/* Someone waits: at once, and every 15 s. */
	before = m->commands[LIST];
	inbox_waiting(m->inbox, true);
	pass(m, 10);
	assert_int_equal(m->commands[LIST] - before, 3);
	pass(m, 60000);
	assert_int_equal(m->commands[LIST] - before, 3 * 5);
	inbox_waiting(m->inbox, false);
	pass(m, 15000);
	before = m->commands[LIST];
	pass(m, 59000);
	assert_int_equal(m->commands[LIST] - before, 0);
}

static void
test_poke_while_looking(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	inbox_poke(m->inbox, NULL);
	inbox_poke(m->inbox, "??");
	inbox_poke(m->inbox, "ME");
	pass(m, 1);
	assert_int_equal(m->commands[LIST], 6);
	/* The store that was named comes first. */
	m->order[0] = '\0';
	arrives(m, 1, HEAD UP);
	inbox_poke(m->inbox, "ME");
	pass(m, 1);
	assert_string_equal(m->order, "L!DLL");
}

static void
test_nothing_without_a_modem(void **state)
{
	struct modem *m = *state;

	inbox_ready(m->inbox, false);
	inbox_poke(m->inbox, NULL);
	inbox_waiting(m->inbox, true);
	pass(m, 100000);
	assert_int_equal(m->commands[LIST], 0);
	assert_false(inbox_is_swept(m->inbox));
	inbox_ready(m->inbox, true);
	pass(m, 1);
	assert_int_equal(m->commands[LIST], 3);
}

/*
 * Old messages
 */
static void
test_found_at_start(void **state)
{
	struct modem *m = *state;

	arrives(m, 0, HEAD UP);
	arrives(m, 2, numbered(1));
	pass(m, 1000);
	assert_int_equal(m->given, 2);
	assert_true(m->old);
	assert_int_equal(inbox_counts(m->inbox)->old, 2);
	assert_int_equal(stored(m), 0);
	/* The same again is a repetition, not a new message. */
	arrives(m, 0, HEAD UP);
	poke(m);
	assert_int_equal(m->given, 2);
	arrives(m, 0, numbered(2));
	poke(m);
	assert_int_equal(m->given, 3);
	assert_false(m->old);
}

static void
test_old_until_seen_whole(void **state)
{
	struct modem *m = *state;

	/* The first list hangs after one of three. */
	for (unsigned i = 0; i < 3; i++)
		arrives(m, 0, numbered(i));
	m->hang[LIST] = 1;
	m->list_cut = 1;
	pass(m, 100);
	/* It is listed anew at once, since something could be deleted. */
	assert_int_equal(m->given, 3);
	assert_int_equal(inbox_counts(m->inbox)->old, 3);
	assert_int_equal(stored(m), 0);
	arrives(m, 0, HEAD UP);
	poke(m);
	assert_false(m->old);
}

/* Gone and back in the same process: what came meanwhile is new. */
static void
test_modem_comes_back(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	inbox_ready(m->inbox, false);
	arrives(m, 0, HEAD UP);
	inbox_ready(m->inbox, true);
	pass(m, 1000);
	assert_int_equal(m->given, 1);
	assert_false(m->old);
}

/*
 * Repetitions
 */
static void
test_eight_copies(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	for (unsigned i = 0; i < 4; i++)
		arrives(m, i % 2, HEAD UP);
	poke(m);
	for (unsigned i = 0; i < 4; i++) {
		/* From another SMS centre. */
		arrives(m, 0, "07914366400000F1" "04" "0C913466103254760008"
		    TIME "0400750070");
		inbox_direct(m->inbox, HEAD UP, strlen(HEAD UP), m->now);
		poke(m);
	}
	assert_int_equal(m->given, 1);
	assert_int_equal(inbox_counts(m->inbox)->repeated, 11);
	assert_int_equal(stored(m), 0);
}

static void
test_across_restarts(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, HEAD UP);
	poke(m);
	for (unsigned i = 0; i < 3; i++) {
		restart(m);
		pass(m, 1000);
		arrives(m, 0, HEAD UP);
		poke(m);
		assert_int_equal(m->given, 1);
	}
}

/* What differs is another message. */
static void
test_not_the_same(void **state)
{
	static const char *const hex[] = {
		HEAD UP,
		HEAD "08" "62804230713480" "0400750070",	/* time */
		HEAD "08" TIME "0400750071",			/* text */
		HEAD "18" TIME "0400750070",			/* coding */
		"00040C9134661032548600" UP,			/* sender */
		"00040CA134661032547600" UP,			/* its type */
	};
	struct modem *m = *state;

	pass(m, 1000);
	for (size_t i = 0; i < sizeof(hex) / sizeof(hex[0]); i++)
		arrives(m, 0, hex[i]);
	poke(m);
	assert_int_equal(m->given, 6);
}

/* Killed after each step of dealing with a message. */
static void
test_crash_anywhere(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	/* Before it was read: it is old at the next start. */
	arrives(m, 0, HEAD UP);
	restart(m);
	pass(m, 1000);
	assert_int_equal(m->given, 1);
	assert_true(m->old);
	/* After it was given out, before it was deleted. */
	arrives(m, 0, numbered(1));
	m->hang[REMOVE] = 1000;
	poke(m);
	assert_int_equal(m->given, 2);
	assert_false(m->old);
	assert_int_equal(stored(m), 1);
	m->hang[REMOVE] = 0;
	restart(m);
	pass(m, 1000);
	assert_int_equal(m->given, 2);
	assert_int_equal(stored(m), 0);
	/* After it was deleted. */
	restart(m);
	arrives(m, 0, numbered(1));
	pass(m, 1000);
	assert_int_equal(m->given, 2);
}

static void
test_damaged_file(void **state)
{
	static const char *const damages[] = { "", "rubbish\n",
	    "oobd-sms-seen 2\n", "oobd-sms-seen 1\nzz\n" };
	struct modem *m = *state;
	FILE *f;

	for (size_t i = 0; i < 4; i++) {
		f = fopen(m->path, "w");
		assert_non_null(f);
		fputs(damages[i], f);
		fclose(f);
		restart(m);
		pass(m, 1000);
		arrives(m, 0, numbered((unsigned)i));
		poke(m);
		assert_int_equal(m->given, i + 1);
		restart(m);
		arrives(m, 0, numbered((unsigned)i));
		pass(m, 1000);
		assert_int_equal(m->given, i + 1);
	}
}

/* No place for the file: not deaf, and not twice either. */
static void
test_cannot_write(void **state)
{
	struct modem *m = *state;

	inbox_free(m->inbox);
	m->inbox = inbox_new(stores, 3, "/nonexistent/oobd/seen", &ops, m);
	m->path[0] = '\0';
	inbox_ready(m->inbox, true);
	pass(m, 1000);
	for (unsigned i = 0; i < 3; i++) {
		arrives(m, 0, HEAD UP);
		poke(m);
	}
	assert_int_equal(m->given, 1);
}

/* More messages than are remembered, one that stays in the store. */
static void
test_forgets_the_right_ones(void **state)
{
	struct modem *m = *state;

	inbox_free(m->inbox);
	m->inbox = inbox_new(stores, 3, NULL, &ops, m);
	m->path[0] = '\0';
	inbox_ready(m->inbox, true);
	pass(m, 1000);
	arrives(m, 0, HEAD UP);
	poke(m);
	for (unsigned i = 0; i < 3000; i += 10) {
		for (unsigned k = 0; k < 10; k++)
			arrives(m, 0, numbered(i + k));
		arrives(m, 1, HEAD UP);
		poke(m);
	}
	assert_int_equal(m->given, 3001);
	assert_int_equal(stored(m), 0);
}

/*
 * What is no message for us
 */
static void
test_rubbish(void **state)
{
	static const char *const rubbish[] = {
		"", "zz", "0", "00FFFFFFFFFFFFFFFFFFFF", "\"00\"",
		"00040C91346610325476000062804230712480", /* cut */
		HEAD "00" TIME "0461F178",
		HEAD "04" TIME "020106",			/* 8 bit */
		"00040C9134661032547640" "00" TIME "00",	/* silent */
		"00440C913466103254760000" TIME "0B0624010125010161F118",
		"00440C9134661032547600" "00" TIME "0A050415161700C46132",
		HEAD "20" TIME "03ABCDEF",			/* compressed */
		"0011000C913466103254760000000178",	/* SUBMIT */
	};
	struct modem *m = *state;
	size_t n = sizeof(rubbish) / sizeof(rubbish[0]);

	pass(m, 1000);
	for (size_t i = 0; i < n; i++)
		assert_true(arrives(m, 0, rubbish[i]));
	poke(m);
	assert_int_equal(m->given, 0);
	assert_int_equal(stored(m), 0);
	assert_int_equal(inbox_counts(m->inbox)->found, n);
	assert_int_equal(inbox_counts(m->inbox)->broken +
	    inbox_counts(m->inbox)->ignored, n);
	/* Longer than any message, by the direct way, too. */
	char long_one[HEX + 200];

	memset(long_one, '0', sizeof(long_one));
	inbox_direct(m->inbox, long_one, sizeof(long_one), m->now);
	assert_int_equal(m->given, 0);
}

/* Places listed although empty, that cannot be deleted. */
static void
test_empty_places(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, "00FFFFFFFF");
	m->refuse[REMOVE] = 1000000;
	pass(m, 3600000);
	assert_int_equal(m->stuck, 0);
	assert_int_equal(m->commands[REMOVE_ALL], 0);
}

static void
test_status_report(void **state)
{
	static const char hex[] = "0006070C91346610325476" TIME TIME "00";
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 2, hex);
	poke(m);
	inbox_direct(m->inbox, hex, strlen(hex), m->now);
	assert_int_equal(m->reports, 1);
	assert_int_equal(m->given, 0);
	assert_int_equal(stored(m), 0);
}

static void
test_direct(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	inbox_direct(m->inbox, HEAD UP, strlen(HEAD UP), m->now);
	assert_int_equal(m->given, 1);
	assert_false(m->old);
	assert_int_equal(m->commands[REMOVE], 0);
	/* The same was stored as well. */
	arrives(m, 0, HEAD UP);
	poke(m);
	assert_int_equal(m->given, 1);
	assert_int_equal(stored(m), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_message),
		TEST(test_every_store),
		TEST(test_polls),
		TEST(test_poke_while_looking),
		TEST(test_nothing_without_a_modem),
		TEST(test_found_at_start),
		TEST(test_old_until_seen_whole),
		TEST(test_modem_comes_back),
		TEST(test_eight_copies),
		TEST(test_across_restarts),
		TEST(test_not_the_same),
		TEST(test_crash_anywhere),
		TEST(test_damaged_file),
		TEST(test_cannot_write),
		TEST(test_forgets_the_right_ones),
		TEST(test_rubbish),
		TEST(test_empty_places),
		TEST(test_status_report),
		TEST(test_direct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
