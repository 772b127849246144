#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modem/inbox.h"

#define PLACES 300
#define HEX 520
#define HEAD "00040C9134661032547600"
#define TIME "62804230712480"
#define UP "08" TIME "0400750070"		/* "up" in UCS-2 */

/*
 * A modem with stores that can misbehave.
 */
enum command {
	LIST,
	READ,
	REMOVE,
	REMOVE_ALL,
	COMMANDS,
};

struct place {
	bool full, read;
	char hex[HEX];
};

struct modem {
	const char *names[3];
	struct place places[3][PLACES];
	size_t size;

	unsigned hang[COMMANDS];	/* the next n time out */
	unsigned refuse[COMMANDS];	/* the next n fail */
	bool no_me;			/* there is no such store */
	size_t list_cut;		/* a list that hangs shows so many */

	struct inbox *inbox;
	char path[64];
	struct mono now;
	unsigned commands[COMMANDS];
	unsigned given, reports, stuck;
	char text[4096];
	size_t text_len;
	char sender[PDU_ADDR];
	unsigned parts;
	bool old;
	bool leave;		/* on a message, the modem goes away */
	char order[4096];	/* of what happened */
};

static void
did(struct modem *m, const char *what)
{
	strncat(m->order, what, sizeof(m->order) - strlen(m->order) - 1);
}

static struct place *
places_of(struct modem *m, const char *store)
{
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(m->names[i], store) == 0)
			return m->places[i];
	}
	fail_msg("no store %s", store);
	return NULL;
}

/* Count, and answer badly if told to. */
static bool
misbehaves(struct modem *m, enum command c)
{
	m->commands[c]++;
	if (m->hang[c] > 0) {
		m->hang[c]--;
		inbox_answer(m->inbox, INBOX_TIMEOUT);
		return true;
	}
	if (m->refuse[c] > 0) {
		m->refuse[c]--;
		inbox_answer(m->inbox, INBOX_ERROR);
		return true;
	}
	return false;
}

static void
show(struct modem *m, struct place *p, size_t i)
{
	if (!p[i].full)
		return;
	p[i].read = true;
	inbox_listed(m->inbox, (unsigned)i, p[i].hex, strlen(p[i].hex));
}

static void
on_list(void *arg, const char *store)
{
	struct modem *m = arg;
	struct place *p = places_of(m, store);
	size_t shown = m->size;

	did(m, "L");
	if (m->no_me && strcmp(store, "ME") == 0) {
		m->commands[LIST]++;
		inbox_answer(m->inbox, INBOX_NO_STORE);
		return;
	}
	if (m->hang[LIST] > 0)
		shown = m->list_cut;
	for (size_t i = 0; i < m->size && shown > 0; i++) {
		shown -= p[i].full;
		show(m, p, i);
	}
	if (!misbehaves(m, LIST))
		inbox_answer(m->inbox, INBOX_OK);
}

static void
on_read(void *arg, const char *store, unsigned index)
{
	struct modem *m = arg;
	struct place *p = places_of(m, store);

	did(m, "R");
	if (misbehaves(m, READ))
		return;
	if (index >= m->size || !p[index].full) {
		inbox_answer(m->inbox, INBOX_ERROR);
		return;
	}
	show(m, p, index);
	inbox_answer(m->inbox, INBOX_OK);
}

static void
on_remove(void *arg, const char *store, unsigned index)
{
	struct modem *m = arg;

	did(m, "D");
	if (misbehaves(m, REMOVE))
		return;
	assert_true(index < m->size);
	places_of(m, store)[index].full = false;
	inbox_answer(m->inbox, INBOX_OK);
}

static void
on_remove_all(void *arg, const char *store, enum inbox_which which)
{
	struct modem *m = arg;
	struct place *p = places_of(m, store);

	did(m, which == INBOX_ALL ? "A" : "a");
	if (misbehaves(m, REMOVE_ALL))
		return;
	for (size_t i = 0; i < m->size; i++) {
		if (which == INBOX_ALL || p[i].read)
			p[i].full = false;
	}
	inbox_answer(m->inbox, INBOX_OK);
}

static void
on_message(void *arg, const struct inbox_message *i)
{
	struct modem *m = arg;
	struct stat st;

	did(m, "!");
	m->given++;
	assert_true(i->text_len < sizeof(m->text));
	memcpy(m->text, i->text, i->text_len + 1);
	m->text_len = i->text_len;
	snprintf(m->sender, sizeof(m->sender), "%s", i->sender->text);
	m->parts = i->parts;
	m->old = i->stored_before_start;
	/* What it is known by is on disk by now. */
	if (m->path[0] != '\0') {
		assert_int_equal(stat(m->path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	if (m->leave)
		inbox_ready(m->inbox, false);
}

static void
on_report(void *arg, const struct pdu *p)
{
	struct modem *m = arg;

	assert_int_equal(p->type, PDU_STATUS_REPORT);
	m->reports++;
}

static void
on_stuck(void *arg, const char *why)
{
	struct modem *m = arg;

	assert_non_null(why);
	m->stuck++;
}

static const struct inbox_ops ops = {
	on_list, on_read, on_remove, on_remove_all, on_message, on_report,
	on_stuck
};

static const char *const stores[] = { "SM", "ME", "SR" };

static void
start(struct modem *m)
{
	m->inbox = inbox_new(stores, 3, m->path[0] == '\0' ? NULL : m->path,
	    &ops, m);
	inbox_ready(m->inbox, true);
}

static void
restart(struct modem *m)
{
	inbox_free(m->inbox);
	start(m);
}

static int
setup(void **state)
{
	static unsigned n;
	struct modem *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	memcpy(m->names, stores, sizeof(stores));
	m->size = 20;
	m->now.us = 1000000;
	snprintf(m->path, sizeof(m->path), "/tmp/oobd_inbox_%d_%u",
	    (int)getpid(), n++);
	start(m);
	*state = m;
	return 0;
}

static int
teardown(void **state)
{
	struct modem *m = *state;

	inbox_free(m->inbox);
	unlink(m->path);
	free(m);
	return 0;
}

/* Into the first free place of a store; false: it is full. */
static bool
arrives(struct modem *m, size_t store, const char *hex)
{
	for (size_t i = 0; i < m->size; i++) {
		struct place *p = &m->places[store][i];

		if (p->full)
			continue;
		p->full = true;
		p->read = false;
		snprintf(p->hex, sizeof(p->hex), "%s", hex);
		return true;
	}
	return false;
}

static size_t
stored(const struct modem *m)
{
	size_t n = 0;

	for (size_t s = 0; s < 3; s++) {
		for (size_t i = 0; i < PLACES; i++)
			n += m->places[s][i].full;
	}
	return n;
}

/* A message with a text of its own. */
static const char *
numbered(unsigned n)
{
	static char hex[HEX];

	snprintf(hex, sizeof(hex), HEAD "08" TIME "06" "0075%04X%04X",
	    0x30 + n % 10, 0x4e00 + n / 10);
	return hex;
}

/* Let ms pass, a call whenever one is due. */
static void
pass(struct modem *m, int64_t ms)
{
	struct mono end = mono_after(m->now, ms);

	for (;;) {
		int64_t wait = inbox_run(m->inbox, m->now);

		if (wait < 0 || mono_ms(m->now, end) < wait)
			break;
		assert_true(wait > 0);
		m->now = mono_after(m->now, wait);
	}
	m->now = end;
}

static void
poke(struct modem *m)
{
	inbox_poke(m->inbox, "SM");
	pass(m, 1);
}

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
 * Stores that misbehave
 */
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

/*
 * Long messages
 */

/* Part seq of total of reference ref: one letter, 'a' for the first. */
static const char *
part(unsigned ref, unsigned total, unsigned seq)
{
	static char hex[HEX];

	snprintf(hex, sizeof(hex), "00440C9134661032547600" "08" TIME
	    "08" "050003%02X%02X%02X" "%04X", ref, total, seq, 0x60 + seq);
	return hex;
}

static void
test_long(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, part(7, 3, 2));
	poke(m);
	arrives(m, 1, part(7, 3, 3));
	arrives(m, 0, part(7, 3, 2));
	arrives(m, 0, part(8, 3, 1));
	poke(m);
	assert_int_equal(m->given, 0);
	assert_int_equal(stored(m), 0);
	arrives(m, 0, part(7, 3, 1));
	poke(m);
	assert_int_equal(m->given, 1);
	assert_string_equal(m->text, "abc");
	assert_int_equal(m->parts, 3);
	assert_false(m->old);
}

static void
test_long_and_old(void **state)
{
	struct modem *m = *state;

	arrives(m, 0, part(7, 2, 2));
	pass(m, 1000);
	arrives(m, 0, part(7, 2, 1));
	poke(m);
	assert_int_equal(m->given, 1);
	assert_true(m->old);
}

static void
test_long_expires(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, part(7, 2, 1));
	poke(m);
	pass(m, 11 * 60000);
	arrives(m, 0, part(7, 2, 2));
	poke(m);
	assert_int_equal(m->given, 0);
}

/* Flooded with beginnings: bounded, and others still come through. */
static void
test_long_flood(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	for (unsigned i = 0; i < 100; i++) {
		arrives(m, 0, part(i, 2, 1));
		poke(m);
		pass(m, 100);
	}
	arrives(m, 0, part(99, 2, 2));
	poke(m);
	assert_int_equal(m->given, 1);
	arrives(m, 0, part(1, 2, 2));
	poke(m);
	assert_int_equal(m->given, 1);
	arrives(m, 0, part(1, 200, 1));
	poke(m);
	assert_int_equal(stored(m), 0);
}

/* Headers that make no sense are as none. */
static void
test_long_nonsense(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, part(7, 2, 3));
	arrives(m, 0, part(7, 2, 0));
	arrives(m, 0, part(7, 0, 0));
	arrives(m, 0, part(7, 1, 1));
	poke(m);
	assert_int_equal(m->given, 4);
	assert_int_equal(m->parts, 1);
}

/* Cut between the halves of a surrogate pair. */
static void
test_long_pair(void **state)
{
	struct modem *m = *state;

	pass(m, 1000);
	arrives(m, 0, "00440C9134661032547600" "08" TIME "08"
	    "050003070201" "D83D");
	arrives(m, 0, "00440C9134661032547600" "08" TIME "08"
	    "050003070202" "DE00");
	poke(m);
	assert_int_equal(m->given, 1);
	assert_string_equal(m->text, "\U0001f600");
	/* One part in each alphabet. */
	arrives(m, 0, "00440C9134661032547600" "08" TIME "08"
	    "050003080201" "0151");
	arrives(m, 0, "00440C9134661032547600" "00" TIME "08"
	    "050003080202" "C2");
	poke(m);
	assert_int_equal(m->given, 2);
	assert_string_equal(m->text, "\u0151a");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		TEST(test_rubbish),
		TEST(test_empty_places),
		TEST(test_status_report),
		TEST(test_direct),
		TEST(test_long),
		TEST(test_long_and_old),
		TEST(test_long_expires),
		TEST(test_long_flood),
		TEST(test_long_nonsense),
		TEST(test_long_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
