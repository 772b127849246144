#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/bookmarks.h"
#include "server/chronicle.h"
#include "server/config.h"
#include "server/digest.h"

#define T0 INT64_C(1795340463000000)	/* 2026-11-22T09:41:03Z */
#define MIN (60 * 1000)

static struct {
	struct chronicle *c;
	struct bookmark b;
	struct digest d;
	int64_t ms;
	char text[DIGEST_TEXT];
} f;

static struct stamp
at(int64_t ms)
{
	return (struct stamp){ T0 + ms * 1000, { 1000000 + ms * 1000 } };
}

static void
add(enum chronicle_what what, const char *name, const char *text)
{
	struct chronicle_row r = { .when = at(f.ms), .what = what,
	    .severity = what == CHRONICLE_ALERT ? SEVERITY_CRITICAL :
	    SEVERITY_INFO };

	snprintf(r.name, sizeof(r.name), "%s", name);
	snprintf(r.text, sizeof(r.text), "%s", text);
	chronicle_add(f.c, &r);
}

static int
setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.c = chronicle_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	chronicle_free(f.c);
	return 0;
}

/* alice leaves now. */
static void
leave(uint64_t offset, uint64_t lines)
{
	f.b = (struct bookmark){ "alice", "gw", at(f.ms).utc_us, false, false,
	    chronicle_tally(f.c, offset, lines) };
}

static const char *
digest(uint64_t offset, uint64_t lines)
{
	f.d = (struct digest){ "gw", &f.b, f.c, chronicle_tally(f.c, offset,
	    lines), at(f.ms).utc_us };
	return digest_text(f.text, &f.d);
}

static void
test_nothing(void **state)
{
	(void)state;
	add(CHRONICLE_ATTACH, "bob", "192.0.2.7");
	add(CHRONICLE_ALERT, "panic", "old");
	leave(1000, 10);
	f.ms += MIN;
	assert_string_equal(digest(1000, 10), "nothing came since you were "
	    "here at 2026-11-22T09:41:03Z\n");
	assert_false(digest_has_news(&f.d));
	/* One's own coming is no news. */
	add(CHRONICLE_ATTACH, "alice", "192.0.2.1");
	digest(1000, 10);
	assert_false(digest_has_news(&f.d));
	f.b.cut = true;
	assert_true(digest_has_news(&f.d));
	assert_string_equal(digest(1000, 10), "nothing came since you were "
	    "cut off at 09:41:03Z\n");
}

static void
test_everything(void **state)
{
	(void)state;
	leave(1000, 10);
	f.ms += 30 * MIN;
	add(CHRONICLE_ATTACH, "bob", "192.0.2.7");
	add(CHRONICLE_LOST, "line", "hung up");
	f.ms += 30 * MIN;
	add(CHRONICLE_ATTACH, "carol", "192.0.2.8");
	add(CHRONICLE_ALERT, "panic", "panic: page fault");
	f.ms += 30 * MIN;
	add(CHRONICLE_ATTACH, "alice", "192.0.2.1");
	add(CHRONICLE_ATTACH, "bob", "192.0.2.7");
	add(CHRONICLE_REBOOT, "reboot", "loader");
	add(CHRONICLE_REBOOT, "reboot", "loader");
	f.ms += 390 * MIN;
	assert_string_equal(digest(1205331, 12355),
	    "12,345 new lines, 1,204,331 bytes, since you were here at "
	    "2026-11-22T09:41:03Z, 8 h ago: `log gw --since "
	    "2026-11-22T09:41:03Z` shows all\n"
	    "  attached: bob (2 times, last 11:11:03Z), carol (10:41:03Z)\n"
	    "  alerts: 1\n"
	    "    10:41:03Z CRITICAL panic: panic: page fault\n"
	    "  rebooted 2 times, last at 11:11:03Z\n"
	    "  the line was lost 1 time, last at 10:11:03Z\n");
	assert_true(digest_has_news(&f.d));
	assert_int_equal(digest_news(&f.d).of[CHRONICLE_ATTACH], 3);
}

/* A long alert ends with a whole character. */
static void
test_long_alert(void **state)
{
	char text[100];

	(void)state;
	leave(0, 0);
	memset(text, 'x', 59);
	memcpy(text + 59, "\xc3\xa9 and more", sizeof("\xc3\xa9 and more"));
	f.ms += MIN;
	add(CHRONICLE_ALERT, "panic", text);
	f.ms += MIN;
	digest(100, 1);
	text[59] = '\n';
	text[60] = '\0';
	assert_non_null(strstr(f.text, text));
}

/* However much there is, it is one screen. */
static void
test_one_screen(void **state)
{
	char name[16], text[200];
	int lines = 0;

	(void)state;
	leave(0, 0);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	f.ms += 3LL * 24 * 60 * MIN;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "user%d", i % 40);
		add(CHRONICLE_ATTACH, name, text);
		add(CHRONICLE_ALERT, "panic", text);
		add(CHRONICLE_REBOOT, "reboot", text);
		add(CHRONICLE_LOST, "line", text);
	}
	f.ms += 3LL * 24 * 60 * MIN;
	digest(UINT64_MAX / 2, 1);
	for (const char *p = f.text; *p != '\0'; p = strchr(p, '\n') + 1) {
		assert_true(strcspn(p, "\n") <= 160);
		lines++;
	}
	assert_in_range(lines, 8, 12);
	assert_non_null(strstr(f.text, ", and others\n"));
	assert_non_null(strstr(f.text, "alerts: 1000, the newest\n"));
	assert_non_null(strstr(f.text, "rebooted 1000 times, last at "
	    "2026-11-25T09:41Z"));
}

static void
test_cut_off(void **state)
{
	(void)state;
	leave(1000, 10);
	f.b.cut = true;
	f.ms += MIN;
	assert_string_equal(digest(13347, 20), "12,347 bytes since you were "
	    "cut off at 09:41:03Z: `log gw --since 2026-11-22T09:41:03Z` "
	    "shows all\n");
	f.b.told = true;
	assert_non_null(strstr(digest(13347, 20), "10 new lines"));
	/* The journal was begun anew. */
	assert_non_null(strstr(digest(7, 21), "the record began anew"));
	assert_true(digest_has_news(&f.d));
}

/* What happened while he could not hear it he has not seen. */
static void
test_before(void **state)
{
	struct tally t;

	(void)state;
	add(CHRONICLE_ALERT, "panic", "seen");
	f.ms += MIN;
	add(CHRONICLE_ALERT, "panic", "not seen");
	add(CHRONICLE_ATTACH, "bob", "");
	t = chronicle_tally_before(f.c, 5, 6, at(MIN / 2).mono);
	assert_int_equal(t.offset, 5);
	assert_int_equal(t.lines, 6);
	assert_int_equal(t.seq, 1);
	assert_int_equal(t.of[CHRONICLE_ALERT], 1);
	assert_int_equal(t.of[CHRONICLE_ATTACH], 0);
	t = chronicle_tally_before(f.c, 5, 6, at(2 * MIN).mono);
	assert_int_equal(t.seq, 3);
}

static void
test_chronicle_file(void **state)
{
	struct tally looked;
	struct chronicle *c = chronicle_new();
	uint64_t offset, lines;
	char *text, *again;

	(void)state;
	for (int i = 0; i < CHRONICLE_ROWS + 20; i++)
		add((enum chronicle_what)(i % 4), "n", "a text with blanks");
	add(CHRONICLE_ATTACH, "bob", "");
	looked = chronicle_tally(f.c, 12345, 678);
	text = chronicle_save(f.c, &looked);
	assert_int_equal(chronicle_load(c, text, &offset, &lines), 0);
	assert_int_equal(offset, 12345);
	assert_int_equal(lines, 678);
	assert_int_equal(chronicle_count(c), CHRONICLE_ROWS);
	again = chronicle_save(c, &looked);
	assert_string_equal(text, again);
	free(again);
	free(text);
	chronicle_free(c);
	c = chronicle_new();
	assert_int_equal(chronicle_load(c, "", &offset, &lines), -1);
	assert_int_equal(chronicle_load(c, "oobd-chronicle 2\n", &offset,
	    &lines), -1);
	assert_int_equal(chronicle_load(c, "oobd-chronicle 1\nlooked 1 2\n"
	    "count 3 1 1 1 0\nrow 9 1 1 1 a b\nrow 2 1 9 1 a b\nrow x\n"
	    "row 2 1 1 1 a b", &offset, &lines), 0);
	assert_int_equal(chronicle_count(c), 0);
	chronicle_free(c);
}

static struct bookmark
mark(const char *user, uint64_t offset, bool cut)
{
	struct bookmark m = { .utc_us = T0 + (int64_t)offset, .cut = cut,
	    .seen = { .offset = offset, .lines = offset * 2, .seq = 3,
	    .of = { 1, 2, 3, 4 } } };

	snprintf(m.user, sizeof(m.user), "%s", user);
	snprintf(m.console, sizeof(m.console), "gw");
	return m;
}

static void
set(struct bookmarks *b, const char *user, uint64_t offset, bool cut)
{
	struct bookmark m = mark(user, offset, cut);

	bookmarks_set(b, &m);
}

static uint64_t
seen(const struct bookmarks *b, const char *user)
{
	const struct bookmark *m = bookmarks_find(b, user, "gw");

	return m == NULL ? 0 : m->seen.offset;
}

static void
test_bookmarks(void **state)
{
	struct bookmarks *b = bookmarks_new();

	(void)state;
	assert_null(bookmarks_find(b, "alice", "gw"));
	set(b, "alice", 100, false);
	set(b, "alice", 200, false);
	assert_int_equal(seen(b, "alice"), 200);
	/* Cut off, and not told yet: what he missed stays missed. */
	set(b, "alice", 300, true);
	set(b, "alice", 400, false);
	set(b, "alice", 350, true);
	assert_int_equal(seen(b, "alice"), 300);
	set(b, "alice", 250, true);
	assert_int_equal(seen(b, "alice"), 250);
	bookmarks_told(b, "alice", "gw");
	set(b, "alice", 500, false);
	assert_int_equal(seen(b, "alice"), 500);
	assert_false(bookmarks_find(b, "alice", "gw")->cut);
	bookmarks_free(b);
}

/* Cut off again before he was told, or heard to be: the same again. */
static void
test_told_unheard(void **state)
{
	struct bookmarks *b = bookmarks_new();
	char first[DIGEST_TEXT];

	(void)state;
	leave(1000, 10);
	f.b.cut = true;
	bookmarks_set(b, &f.b);
	add(CHRONICLE_ALERT, "panic", "panic: page fault");
	f.ms += MIN;
	snprintf(first, sizeof(first), "%s", digest(2000, 20));
	assert_non_null(strstr(first, "1,000 bytes since you were cut off"));
	assert_non_null(strstr(first, "page fault"));
	leave(2000, 20);
	f.b.cut = true;
	bookmarks_set(b, &f.b);
	f.b = *bookmarks_find(b, "alice", "gw");
	assert_string_equal(digest(2000, 20), first);
	/* He was, and is cut off once more. */
	bookmarks_told(b, "alice", "gw");
	leave(2000, 20);
	f.b.cut = true;
	bookmarks_set(b, &f.b);
	f.b = *bookmarks_find(b, "alice", "gw");
	f.ms += MIN;
	assert_string_equal(digest(2000, 20), "nothing came since you were "
	    "cut off at 09:42:03Z\n");
	bookmarks_free(b);
}

static void
test_bookmarks_file(void **state)
{
	struct bookmarks *b = bookmarks_new(), *c = bookmarks_new();
	char user[32], *text, *again;

	(void)state;
	for (unsigned i = 1; i <= BOOKMARKS_MAX + 10; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		set(b, user, i, i % 2 == 0);
	}
	/* The oldest made room. */
	assert_int_equal(seen(b, "user10"), 0);
	assert_int_equal(seen(b, "user11"), 11);
	text = bookmarks_save(b);
	assert_int_equal(bookmarks_load(c, text), 0);
	again = bookmarks_save(c);
	assert_string_equal(text, again);
	free(text);
	free(again);
	bookmarks_free(c);
	c = bookmarks_new();
	assert_int_equal(bookmarks_load(c, "nonsense\n"), -1);
	assert_int_equal(bookmarks_load(c, "oobd-bookmarks 1\nalice gw 1\n"),
	    0);
	assert_int_equal(seen(c, "alice"), 0);
	/* A time that nobody's clock has shown: more than can be told apart. */
	assert_int_equal(bookmarks_load(c, "oobd-bookmarks 1\n"
	    "alice gw -9223372036854775808 0 0 1 1 1 0 0 0 0\n"
	    "bob gw 9223372036854775807 0 0 1 1 1 0 0 0 0\n"
	    "carol gw 1795340463000000 0 0 1 1 1 0 0 0 0\n"), 0);
	assert_int_equal(seen(c, "alice"), 0);
	assert_int_equal(seen(c, "bob"), 0);
	assert_int_equal(seen(c, "carol"), 1);
	bookmarks_free(b);
	bookmarks_free(c);
}

int
main(void)
{
#define DIGEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		DIGEST(test_nothing),
		DIGEST(test_everything),
		DIGEST(test_long_alert),
		DIGEST(test_one_screen),
		DIGEST(test_cut_off),
		DIGEST(test_before),
		DIGEST(test_chronicle_file),
		DIGEST(test_bookmarks),
		DIGEST(test_told_unheard),
		DIGEST(test_bookmarks_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
