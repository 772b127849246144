#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/jread.h"

static void
put(struct journal *j, int64_t at, const char *s)
{
	assert_int_equal(journal_data(j, ms(at), s, strlen(s)), strlen(s));
}

static void
flush(struct journal *j, int64_t at)
{
	assert_int_equal(journal_flush(j, ms(at), JOURNAL_SHOW_DUE), 0);
}

static void
event(struct journal *j, int64_t at, const char *text)
{
	assert_int_equal(journal_event(j, ms(at), RECORD_EVENT, text,
	    strlen(text)), 0);
}

static struct jread *
open_at(const struct scratch *s)
{
	struct jread *in = jread_open(s->dir, "gw");

	assert_non_null(in);
	return in;
}

/* What is left to read, "type:text" joined by "|"; "?" for the unfinished. */
static char *
rest(struct jread *in)
{
	static char out[100000];
	struct record r;
	size_t n = 0;
	int got;

	while ((got = jread_next(in, &r)) == 1)
		n += (size_t)sprintf(out + n, "%s%c:%.*s", n > 0 ? "|" : "",
		    r.type, (int)r.n, (const char *)r.data);
	assert_int_equal(got, 0);
	if (jread_unfinished(in, &r))
		n += (size_t)sprintf(out + n, "?%.*s", (int)r.n,
		    (const char *)r.data);
	out[n] = '\0';
	return out;
}

/* A file of the journal with this text, as number seq. */
static void
write_segment(const struct scratch *s, int seq, const char *text)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/gw", s->dir);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/gw/%08d-20261122T094103Z.log",
	    s->dir, seq);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

#define AT(s) "2026-11-22T09:41:" s "Z 5000." s2
#define L(sec, rest) "2026-11-22T09:41:" sec ".000000Z 50" sec ".000000 " \
	rest "\n"

static void
test_none(void **state)
{
	struct scratch s;
	struct jread *in;

	(void)state;
	scratch_make(&s);
	assert_null(jread_open(s.dir, "gw"));
	write_segment(&s, 1, "");
	in = open_at(&s);
	assert_string_equal(rest(in), "");
	jread_close(in);
	scratch_drop(&s);
}

static void
test_previews(void **state)
{
	struct scratch s;
	struct jread *in;

	(void)state;
	scratch_make(&s);
	write_segment(&s, 1, L("03", "h 0 oobd-journal 1 console=gw")
	    L("03", "p 0 log") L("04", "p 3 in: ") L("05", "m 7 attach")
	    L("06", "p 7 al") L("03", "o 0 login: alice")
	    L("07", "p 14 $ "));
	in = open_at(&s);
	assert_string_equal(rest(in), "m:attach|o:login: alice?$ ");
	jread_close(in);
	/* A power cut, and the history was lost: previews count as data. */
	write_segment(&s, 2, L("08", "h 16 oobd-journal 1 console=gw")
	    L("08", "m 16 start") L("09", "n 16 boot") L("09", "p 21 >"));
	in = open_at(&s);
	assert_string_equal(rest(in), "m:attach|o:login: alice|p:$ |m:start|"
	    "n:boot?>");
	jread_close(in);
	/* The history survived: the line is recorded whole again. */
	write_segment(&s, 3, L("10", "h 21 oobd-journal 1 console=gw")
	    L("10", "m 22 start") L("09", "c 21 > x"));
	in = open_at(&s);
	assert_string_equal(rest(in), "m:attach|o:login: alice|p:$ |m:start|"
	    "n:boot|m:start|c:> x");
	jread_close(in);
	scratch_drop(&s);
}

/* What a new segment records again replaces what the old one has. */
static void
test_rewritten(void **state)
{
	struct scratch s;
	struct jread *in;

	(void)state;
	scratch_make(&s);
	write_segment(&s, 1, L("03", "h 0 oobd-journal 1")
	    L("03", "n 0 a") L("04", "n 2 bad") L("05", "m 6 note")
	    L("05", "p 6 x"));
	write_segment(&s, 2, L("06", "h 2 oobd-journal 1")
	    L("06", "m 2 sync-failed") L("04", "n 2 b") L("05", "n 4 xyz"));
	in = open_at(&s);
	assert_string_equal(rest(in), "n:a|m:note|m:sync-failed|n:b|n:xyz");
	jread_close(in);
	/* Offsets that start anew have nothing to do with earlier ones. */
	write_segment(&s, 3, L("08", "h 0 oobd-journal 1 restart=yes")
	    L("08", "n 0 new"));
	in = open_at(&s);
	assert_string_equal(rest(in),
	    "n:a|m:note|m:sync-failed|n:b|n:xyz|n:new");
	assert_int_equal(jread_epoch(in), 1);
	jread_close(in);
	scratch_drop(&s);
}

/* As far as it went, whatever is written behind, or voids what was. */
static void
test_stop(void **state)
{
	struct jread_place none, end;
	struct scratch s;
	struct jread *in;

	(void)state;
	scratch_make(&s);
	write_segment(&s, 1, L("03", "h 0 oobd-journal 1 console=gw")
	    L("03", "o 0 one") L("04", "o 4 two") L("05", "p 8 thr"));
	in = open_at(&s);
	assert_int_equal(jread_end(in, &end), 0);
	jread_close(in);
	write_segment(&s, 1, L("05", "o 8 three"));
	write_segment(&s, 2, L("06", "h 4 oobd-journal 1 console=gw")
	    L("04", "o 4 two") L("05", "o 8 three") L("06", "o 14 four"));
	in = open_at(&s);
	assert_string_equal(rest(in), "o:one|o:two|o:three|o:four");
	jread_close(in);
	in = open_at(&s);
	jread_stop(in, &end);
	assert_string_equal(rest(in), "o:one|o:two?thr");
	assert_string_equal(rest(in), "?thr");
	jread_close(in);
	in = open_at(&s);
	jread_stop(in, &end);
	assert_int_equal(jread_range(in, T0 + 1000000, INT64_MAX), 0);
	assert_string_equal(rest(in), "o:two?thr");
	jread_close(in);
	/* Of nothing, nothing. */
	none = (struct jread_place){ 0, 0 };
	in = open_at(&s);
	jread_stop(in, &none);
	assert_string_equal(rest(in), "");
	jread_close(in);
	scratch_drop(&s);
}

static void
test_damaged(void **state)
{
	static char giant[100000];
	struct scratch s;
	struct jread *in;

	(void)state;
	scratch_make(&s);
	memset(giant, 'x', sizeof(giant) - 1);
	memcpy(giant, L("04", "o 2 fake"), 42);
	write_segment(&s, 1, L("03", "h 0 oobd-journal 1") L("03", "n 0 a")
	    "a stranger wrote this\n\n" L("03", "z 1 later format"));
	write_segment(&s, 1, giant + 42);
	write_segment(&s, 1, "\n" L("04", "n 2 b") "torn tai");
	write_segment(&s, 2, L("06", "h 4 oobd-journal 1") L("06", "n 4 c"));
	in = open_at(&s);
	assert_string_equal(rest(in), "n:a|n:b|n:c");
	assert_int_equal(jread_damaged(in), 4);
	jread_close(in);
	/* The same from behind. */
	in = open_at(&s);
	assert_int_equal(jread_tail(in, 2), 0);
	assert_string_equal(rest(in), "n:b|n:c");
	jread_close(in);
	scratch_drop(&s);
}

static void
test_tail(void **state)
{
	struct scratch s;
	struct journal *j;
	struct jread *in;
	char line[40], *got;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 30000);
	for (int i = 0; i < 2000; i++) {
		snprintf(line, sizeof(line), "line %d\r\n", i);
		put(j, i * 10, line);
		if (i % 10 == 0)
			event(j, i * 10 + 1, "tick");
		if (i % 7 == 0)
			flush(j, i * 10);
	}
	flush(j, 20000);
	in = open_at(&s);
	assert_int_equal(jread_tail(in, 3), 0);
	assert_string_equal(rest(in), "o:line 1997|o:line 1998|o:line 1999");
	jread_close(in);
	in = open_at(&s);
	assert_int_equal(jread_tail(in, 0), 0);
	assert_string_equal(rest(in), "");
	jread_close(in);
	/* The unfinished line is a line. */
	put(j, 20000, "$ ");
	flush(j, 20300);
	event(j, 20400, "tock");
	put(j, 20500, "l");
	flush(j, 21000);
	in = open_at(&s);
	assert_int_equal(jread_tail(in, 1), 0);
	assert_string_equal(rest(in), "m:tock?$ l");
	jread_close(in);
	in = open_at(&s);
	assert_int_equal(jread_tail(in, 2), 0);
	assert_string_equal(rest(in), "o:line 1999|m:tock?$ l");
	jread_close(in);
	/* Across segments, and beyond the beginning. */
	in = open_at(&s);
	assert_int_equal(jread_tail(in, 1500), 0);
	got = rest(in);
	assert_ptr_equal(strstr(got, "o:line 501|o:line 502|"), got);
	jread_close(in);
	in = open_at(&s);
	assert_int_equal(jread_tail(in, 100000), 0);
	got = rest(in);
	assert_ptr_equal(strstr(got, "o:line 0|m:tick|o:line 1|"), got);
	jread_close(in);
	journal_free(j);
	scratch_drop(&s);
}

/* since and until, against reading everything and choosing by hand. */
static void
test_range(void **state)
{
	struct scratch s;
	struct journal *j;
	struct jread *in;
	struct record r;
	char line[100];
	int n, want;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 200000);
	for (int i = 0; i < 10000; i++) {
		snprintf(line, sizeof(line), "%05d %060d\n", i, 0);
		put(j, i * 100, line);
	}
	flush(j, 1000000);
	srand(5);
	for (int round = 0; round < 200; round++) {
		int64_t from = rand() % 1000, to = from + rand() % 50;

		in = open_at(&s);
		assert_int_equal(jread_range(in, T0 + from * 1000000,
		    T0 + to * 1000000), 0);
		want = (int)from * 10;
		for (n = 0; jread_next(in, &r) == 1; n++) {
			assert_int_equal(atoi((const char *)r.data), want);
			want++;
		}
		if (to < 999)
			assert_int_equal(n, (to - from) * 10 + 1);
		assert_true(jread_bytes(in) < 1500000);
		jread_close(in);
	}
	journal_free(j);
	scratch_drop(&s);
}

/* A prompt that stood for hours, then a command: both times find it. */
static void
test_long_line(void **state)
{
	struct scratch s;
	struct journal *j;
	struct jread *in;
	const int64_t hour = 3600000;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	put(j, 0, "old\ngw# ");
	flush(j, 500);
	event(j, hour, "attach");
	put(j, 2 * hour, "show version\r\n");
	put(j, 2 * hour + 10, "oobd 1\r\n");
	flush(j, 2 * hour + 10);
	in = open_at(&s);
	assert_int_equal(jread_range(in, T0 + (2 * hour - 1000) * 1000,
	    INT64_MAX), 0);
	assert_string_equal(rest(in), "o:gw# show version|o:oobd 1");
	jread_close(in);
	in = open_at(&s);
	assert_int_equal(jread_range(in, INT64_MIN, T0 + hour * 500), 0);
	assert_string_equal(rest(in), "n:old?gw# ");
	assert_true(jread_is_past(in));
	jread_close(in);
	journal_free(j);
	scratch_drop(&s);
}

static void
test_clock_step(void **state)
{
	struct stamp back = ms(0);
	struct scratch s;
	struct journal *j;
	struct jread *in;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	/* Booted without a clock, told the time, set back by an hour. */
	back.utc_us = 1000000;
	assert_int_equal(journal_data(j, back, "boot\n", 5), 5);
	assert_int_equal(journal_flush(j, back, JOURNAL_SHOW_DUE), 0);
	put(j, 1000, "now\n");
	flush(j, 1000);
	back = ms(2000);
	back.utc_us -= INT64_C(3600000000);
	assert_int_equal(journal_data(j, back, "earlier\n", 8), 8);
	assert_int_equal(journal_flush(j, back, JOURNAL_SHOW_DUE), 0);
	journal_free(j);
	in = open_at(&s);
	assert_string_equal(rest(in), "n:boot|m:clock step=+1795340462."
	    "000s|n:now|m:clock step=-3600.000s|n:earlier");
	jread_close(in);
	in = open_at(&s);
	assert_int_equal(jread_range(in, T0, INT64_MAX), 0);
	assert_string_equal(rest(in), "m:clock step=+1795340462.000s|n:now");
	jread_close(in);
	in = open_at(&s);
	assert_int_equal(jread_range(in, T0 - INT64_C(3600000000), T0), 0);
	assert_string_equal(rest(in), "m:clock step=-3600.000s|n:earlier");
	jread_close(in);
	scratch_drop(&s);
}

/*
 * The clock was ahead of what it is now: neither the name of the next file nor
 * the time at which this one was closed tells that it holds those times.
 */
static void
test_clock_set_back(void **state)
{
	const int64_t ahead = INT64_C(10) * 366 * 86400 * 1000000;
	struct stamp when = ms(0);
	struct scratch s;
	struct journal *j;
	struct jread *in;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	when.utc_us += ahead;
	assert_int_equal(journal_data(j, when, "ahead\n", 6), 6);
	assert_int_equal(journal_flush(j, when, JOURNAL_SHOW_DUE), 0);
	/* An event is the first that comes afterwards. */
	assert_int_equal(journal_event(j, ms(1000), RECORD_EVENT, "note", 4),
	    0);
	put(j, 2000, "back\n");
	flush(j, 2000);
	journal_free(j);
	in = open_at(&s);
	assert_int_equal(jread_range(in, T0 + ahead - 1000000, INT64_MAX), 0);
	assert_string_equal(rest(in), "n:ahead");
	jread_close(in);
	in = open_at(&s);
	assert_int_equal(jread_range(in, T0, T0 + ahead / 2), 0);
	assert_string_equal(rest(in), "m:clock step=-316224000.000s|m:note|"
	    "n:back");
	jread_close(in);
	scratch_drop(&s);
}

/* A gigabyte, most of it a hole that is damage to a reader: a search must not
   read it. */
static void
test_large(void **state)
{
	enum { LINES = 60000, SEGMENTS = 64 };
	struct scratch s;
	struct journal *j;
	struct jread *in;
	char *block, names[80][64], path[200], line[120];
	const struct timespec then[2] = { { T0 / 1000000, 0 },
	    { T0 / 1000000, 0 } };
	struct record r;
	int n;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 4000000);
	block = xmalloc(4096);
	memset(block, 'x', 4096);
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "%06d %090d\n", i, 0);
		put(j, i * 1000, line);
	}
	flush(j, LINES * 1000);
	journal_free(j);
	/* Blow each closed segment up to 500 MB. */
	n = segments(&s, names, 80);
	assert_in_range(n, 2, 4);
	for (int i = 0; i < n - 1; i++) {
		snprintf(path, sizeof(path), "%s/gw/%s", s.dir, names[i]);
		assert_int_equal(truncate(path, 500000000), 0);
		/* They were last written before what is looked for. */
		assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
	}
	in = open_at(&s);
	assert_int_equal(jread_range(in, T0 + (int64_t)(LINES - 300) *
	    1000000, INT64_MAX), 0);
	assert_int_equal(jread_next(in, &r), 1);
	assert_int_equal(atoi((const char *)r.data), LINES - 300);
	assert_true(jread_bytes(in) < 1000000);
	jread_close(in);
	in = open_at(&s);
	assert_int_equal(jread_tail(in, 300), 0);
	assert_int_equal(jread_next(in, &r), 1);
	assert_int_equal(atoi((const char *)r.data), LINES - 300);
	assert_true(jread_bytes(in) < 1000000);
	jread_close(in);
	free(block);
	scratch_drop(&s);
}

/* Many whole segments, a gigabyte by their count: few bytes are read. */
static void
test_many(void **state)
{
	struct scratch s;
	struct journal *j;
	struct jread *in;
	struct record r;
	char line[120];
	uint64_t all = 0;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 300000);
	for (int i = 0; i < 100000; i++) {
		snprintf(line, sizeof(line), "%06d %090d\n", i, 0);
		put(j, i * 1000, line);
		all += 150;
	}
	flush(j, 100000000);
	journal_free(j);
	for (int i = 0; i < 100000; i += 9999) {
		in = open_at(&s);
		assert_int_equal(jread_range(in, T0 + (int64_t)i * 1000000,
		    INT64_MAX), 0);
		assert_int_equal(jread_next(in, &r), 1);
		assert_int_equal(atoi((const char *)r.data), i);
		assert_true(jread_bytes(in) < all / 20);
		jread_close(in);
	}
	scratch_drop(&s);
}

/* Reading while it is written, through rotations, misses and doubles none. */
static void
test_follow(void **state)
{
	struct scratch s;
	struct journal *j;
	struct jread *in = NULL;
	struct record r;
	char line[120];
	int seen = 0;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 5000);
	srand(6);
	for (int i = 0; i < 3000; i++) {
		snprintf(line, sizeof(line), "%06d %050d\n", i, 0);
		put(j, i * 50, line);
		if (rand() % 4 == 0)
			flush(j, i * 50);
		if (in == NULL && i > 0) {
			flush(j, i * 50);
			in = open_at(&s);
		}
		if (in == NULL || rand() % 10 != 0)
			continue;
		while (jread_next(in, &r) == 1) {
			assert_int_equal(atoi((const char *)r.data), seen);
			seen++;
		}
	}
	flush(j, 150000);
	while (jread_next(in, &r) == 1) {
		assert_int_equal(atoi((const char *)r.data), seen);
		seen++;
	}
	assert_int_equal(seen, 3000);
	jread_close(in);
	journal_free(j);
	scratch_drop(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_previews),
		cmocka_unit_test(test_rewritten),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_clock_step),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
