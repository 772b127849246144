/*
 * inbox_help: a modem with stores that can misbehave, and an inbox that
 * empties them.
 */
#ifndef TESTS_INBOX_HELP_H
#define TESTS_INBOX_HELP_H

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

static inline void
did(struct modem *m, const char *what)
{
	strncat(m->order, what, sizeof(m->order) - strlen(m->order) - 1);
}

static inline struct place *
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
static inline bool
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

static inline void
show(struct modem *m, struct place *p, size_t i)
{
	if (!p[i].full)
		return;
	p[i].read = true;
	inbox_listed(m->inbox, (unsigned)i, p[i].hex, strlen(p[i].hex));
}

static inline void
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

static inline void
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

static inline void
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

static inline void
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

static inline void
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

static inline void
on_report(void *arg, const struct pdu *p)
{
	struct modem *m = arg;

	assert_int_equal(p->type, PDU_STATUS_REPORT);
	m->reports++;
}

static inline void
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

static inline void
start(struct modem *m)
{
	m->inbox = inbox_new(stores, 3, m->path[0] == '\0' ? NULL : m->path,
	    &ops, m);
	inbox_ready(m->inbox, true);
}

static inline void
restart(struct modem *m)
{
	inbox_free(m->inbox);
	start(m);
}

static inline int
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

static inline int
teardown(void **state)
{
	struct modem *m = *state;

	inbox_free(m->inbox);
	unlink(m->path);
	free(m);
	return 0;
}

/* Into the first free place of a store; false: it is full. */
static inline bool
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

static inline size_t
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
static inline const char *
numbered(unsigned n)
{
	static char hex[HEX];

	snprintf(hex, sizeof(hex), HEAD "08" TIME "06" "0075%04X%04X",
	    0x30 + n % 10, 0x4e00 + n / 10);
	return hex;
}

/* Let ms pass, a call whenever one is due. */
static inline void
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

static inline void
poke(struct modem *m)
{
	inbox_poke(m->inbox, "SM");
	pass(m, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
