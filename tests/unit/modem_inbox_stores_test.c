#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "inbox_help.h"

static void
test_full_store(void **state)
{
	struct modem *m = *state;
	unsigned n = 0;

	pass(m, 1000);
	while (arrives(m, 0, numbered(n)))
		n++;
	/* No report of a message any more, only that it is full. */
	inbox_poke(m->inbox, NULL);
	pass(m, 1);
	assert_int_equal(m->given, n);
	assert_int_equal(stored(m), 0);
	assert_true(arrives(m, 0, HEAD UP));
}

static void
test_more_than_fit(void **state)
{
	struct modem *m = *state;

	m->size = PLACES;
	for (unsigned i = 0; i < PLACES; i++)
		arrives(m, 0, numbered(i));
	pass(m, 1);
	assert_int_equal(m->given, PLACES);
	assert_int_equal(inbox_counts(m->inbox)->old, PLACES);
	assert_int_equal(stored(m), 0);
}

static void
test_list_hangs(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	inbox_size(m->inbox, "SM", 1, 20);
	m->hang[LIST] = 2;
	m->list_cut = 0;
	arrives(m, 0, HEAD UP);
	arrives(m, 0, numbered(3));
	inbox_size(m->inbox, "SM", 2, 20);
	poke(m);
	assert_int_equal(m->given, 0);
	/* The second list was that of ME.  SM is tried again. */
	m->hang[LIST] = 1;
	pass(m, 16000);
	m->order[0] = '\0';
	pass(m, 16000);
	assert_int_equal(m->given, 2);
	assert_int_equal(stored(m), 0);
	assert_non_null(strchr(m->order, 'R'));
	assert_int_equal(m->stuck, 0);
	/* It stays so, and goes on working, until the modem was reset. */
	m->hang[LIST] = 0;
	m->order[0] = '\0';
	arrives(m, 0, numbered(4));
	inbox_size(m->inbox, "SM", 0, 20);
	poke(m);
	assert_int_equal(m->given, 3);
	assert_int_equal(m->order[0], 'R');
	inbox_ready(m->inbox, false);
	inbox_ready(m->inbox, true);
	m->order[0] = '\0';
	pass(m, 1);
	assert_string_equal(m->order, "LLL");
}

static void
test_list_hangs_in_the_middle(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	for (unsigned i = 0; i < 5; i++)
		arrives(m, 0, numbered(i));
	m->hang[LIST] = 1;
	m->list_cut = 2;
	m->order[0] = '\0';
	poke(m);
	/* It is listed anew at once, since something could be deleted. */
	assert_string_equal(m->order, "L!!DDLL" "L!!!DDDLL");
	assert_int_equal(m->given, 5);
	assert_int_equal(stored(m), 0);
}

static void
test_nothing_answers(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, HEAD UP);
	m->hang[LIST] = m->hang[READ] = 1000000;
	m->list_cut = 0;
	pass(m, 600000);
	assert_true(m->stuck >= 1);
	/* Not in a frenzy: three stores, four times a minute. */
	assert_true(m->commands[LIST] + m->commands[READ] < 3 * 4 * 11);
	m->hang[LIST] = m->hang[READ] = 0;
	inbox_ready(m->inbox, false);
	inbox_ready(m->inbox, true);
	pass(m, 1);
	assert_int_equal(m->given, 1);
	assert_false(m->old);
}

static void
test_list_refused(void **state)
{
	struct modem *m = *state;

	/* The SIM is busy for a while after power-up. */
	m->refuse[LIST] = 3;
	arrives(m, 0, HEAD UP);
	pass(m, 100);
	assert_int_equal(m->given, 1);
	assert_true(m->old);
	pass(m, 31000);
	assert_true(inbox_is_swept(m->inbox));
	arrives(m, 0, numbered(1));
	poke(m);
	assert_int_equal(m->given, 2);
	assert_false(m->old);
}

static void
test_no_such_store(void **state)
{
	struct modem *m = *state;

	m->no_me = true;
	pass(m, 1000);
	assert_int_equal(m->commands[LIST], 3);
	assert_true(inbox_is_swept(m->inbox));
	pass(m, 60000);
	assert_int_equal(m->commands[LIST], 5);
	/* It is asked for again after a while. */
	m->no_me = false;
	arrives(m, 1, HEAD UP);
	pass(m, 660000);
	assert_int_equal(m->given, 1);
	assert_true(m->old);
}

static void
test_delete_fails(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, HEAD UP);
	m->refuse[REMOVE] = 1;
	poke(m);
	assert_int_equal(m->given, 1);
	assert_int_equal(stored(m), 1);
	pass(m, 16000);
	assert_int_equal(stored(m), 0);
	assert_int_equal(m->given, 1);
	assert_int_equal(m->stuck, 0);
	assert_int_equal(m->commands[REMOVE_ALL], 0);
}

static void
test_delete_never_works(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, HEAD UP);
	arrives(m, 0, numbered(1));
	m->refuse[REMOVE] = 1000000;
	m->order[0] = '\0';
	poke(m);
	pass(m, 16000);
	assert_int_equal(stored(m), 0);
	assert_int_equal(m->given, 2);
	assert_string_equal(m->order, "L!!DDLL" "LDDaLL" "LLL");
	/* Nor does deleting all at once. */
	arrives(m, 0, numbered(2));
	m->refuse[REMOVE_ALL] = 1000000;
	poke(m);
	pass(m, 120000);
	assert_int_equal(m->given, 3);
	assert_true(m->stuck >= 1);
	assert_non_null(strchr(m->order, 'A'));
	assert_true(m->commands[LIST] < 60);
	m->refuse[REMOVE] = m->refuse[REMOVE_ALL] = 0;
	pass(m, 60000);
	assert_int_equal(stored(m), 0);
	assert_int_equal(m->given, 3);
}

static void
test_delete_hangs(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	for (unsigned i = 0; i < 5; i++)
		arrives(m, 0, numbered(i));
	m->hang[REMOVE] = 1;
	poke(m);
	/* Each waits for long: one per round. */
	assert_int_equal(m->commands[REMOVE], 1);
	assert_int_equal(m->given, 5);
	pass(m, 16000);
	assert_int_equal(stored(m), 0);
	assert_int_equal(m->given, 5);
}

static void
test_gone_in_the_middle(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	for (unsigned i = 0; i < 3; i++)
		arrives(m, 0, numbered(i));
	m->leave = true;
	poke(m);
	assert_int_equal(m->commands[REMOVE], 0);
	assert_false(inbox_is_busy(m->inbox));
	/* An answer that comes late is nobody's. */
	inbox_answer(m->inbox, INBOX_OK);
	pass(m, 100000);
	assert_int_equal(m->commands[REMOVE], 0);
	m->leave = false;
	inbox_ready(m->inbox, true);
	pass(m, 1);
	assert_int_equal(stored(m), 0);
	assert_int_equal(m->given, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_full_store),
		TEST(test_more_than_fit),
		TEST(test_list_hangs),
		TEST(test_list_hangs_in_the_middle),
		TEST(test_nothing_answers),
		TEST(test_list_refused),
		TEST(test_no_such_store),
		TEST(test_delete_fails),
		TEST(test_delete_never_works),
		TEST(test_delete_hangs),
		TEST(test_gone_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
