#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/check.h"
#include "serial/jback.h"
#include "serial/logview.h"
#include "serial/pack.h"

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

/* The payload parts "type offset payload" of a segment, joined by "|". */
static char *
records(const struct scratch *s, int segment)
{
	char *text = segment_text(s, segment, NULL), *out, *p, *e;
	size_t n = 0;

	assert_non_null(text);
	out = xmalloc(strlen(text) + 1);
	for (p = text; (e = strchr(p, '\n')) != NULL; p = e + 1) {
		*e = '\0';
		p = strchr(strchr(p, ' ') + 1, ' ') + 1;
		if (*p == 'h' || *p == 'k')
			continue;
		n += (size_t)sprintf(out + n, "%s%s", n > 0 ? "|" : "", p);
	}
	out[n] = '\0';
	free(text);
	return out;
}

static void
expect(const struct scratch *s, int segment, const char *want)
{
	char *got = records(s, segment);

	assert_string_equal(got, want);
	free(got);
}

static struct shown
show(const struct scratch *s, const char *options, int *status)
{
	char copy[200], *argv[12] = { "log", "gw" };
	struct shown shown = { .waits = 0 };
	struct view v = { &shown_ops, &shown, s->dir, false };
	int argc = 2, r;

	snprintf(copy, sizeof(copy), "%s", options);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	r = (int)logview_run(&v, argc, argv);
	if (status != NULL)
		*status = r;
	else
		assert_int_equal(r, 0);
	return shown;
}

static void
expect_raw(const struct scratch *s, const char *want, size_t n)
{
	struct shown shown = show(s, "--raw", NULL);

	assert_int_equal(shown.n[1], n);
	assert_memory_equal(shown_text(&shown, 1), want, n);
	shown_drop(&shown);
}

static void
test_lines(void **state)
{
	struct scratch s;
	struct journal *j;
	char *text;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	put(j, 0, "one\r\ntwo\n\r\n\nthr");
	put(j, 3, "ee\rx");
	put(j, 20, "y\r");
	put(j, 1500, "\n");
	assert_int_equal(journal_event(j, ms(1600), RECORD_EVENT,
	    "attach user=alice", 17), 0);
	flush(j, 1600);
	expect(&s, 0, "o 0 one|n 5 two|o 9 |n 11 |"
	    "o 12 three\\rxy\\@7:20,9:1500|m 22 attach user=alice");
	text = segment_text(&s, 0, NULL);
	assert_ptr_equal(strstr(text, "2026-11-22T09:41:03.000000Z 5000.000000"
	    " h 0 oobd-journal 1 console=gw box=test_box seq=1 "
	    "boot=0000000000001234 prev=-\n"), text);
	free(text);
	assert_int_equal(jfile_written(journal_file(j)), 22);
	journal_free(j);
	expect_raw(&s, "one\r\ntwo\n\r\n\nthree\rxy\r\n", 22);
	scratch_drop(&s);
}

static void
test_preview(void **state)
{
	struct scratch s;
	struct journal *j;
	struct mono due;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 100, 0);
	assert_false(journal_due(j, &due));
	put(j, 0, "login: ");
	assert_true(journal_due(j, &due));
	assert_int_equal(due.us, ms(200).mono.us);
	flush(j, 150);
	expect(&s, 0, "");
	flush(j, 200);
	expect(&s, 0, "p 100 login: ");
	assert_false(journal_due(j, &due));
	assert_int_equal(jfile_written(journal_file(j)), 107);
	put(j, 5000, "al");
	put(j, 5090, "ice");
	flush(j, 5400);
	put(j, 5500, "\r\n");
	flush(j, 5500);
	expect(&s, 0, "p 100 login: |p 107 alice\\@2:90|"
	    "o 100 login: alice\\@7:5000,9:5090,12:5500");
	/* A trickle that is never silent shows up after a second. */
	for (int i = 0; i < 11; i++)
		put(j, 10000 + i * 100, ".");
	flush(j, 10999);
	put(j, 11000, ".");
	flush(j, 11000);
	journal_free(j);
	expect_raw(&s, "login: alice\r\n............", 26);
	scratch_drop(&s);
}

static void
test_split(void **state)
{
	struct scratch s;
	struct journal *j;
	static char data[10000];
	char *got;

	(void)state;
	memset(data, 'a', sizeof(data));
	data[9998] = '\r';
	data[9999] = '\n';
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	assert_int_equal(journal_data(j, ms(0), data, 10000), 10000);
	/* Exactly a record's worth is no reason to split. */
	assert_int_equal(journal_data(j, ms(0), data, 4096), 4096);
	put(j, 0, "\n");
	put(j, 0, "tail");
	assert_int_equal(journal_gap(j, ms(10), 20000), 0);
	put(j, 10, "x\n");
	flush(j, 10);
	got = records(&s, 0);
	assert_non_null(strstr(got, "|c 4096 aaaa"));
	assert_non_null(strstr(got, "|o 8192 aaaa"));
	assert_non_null(strstr(got, "|n 10000 aaaa"));
	assert_non_null(strstr(got, "|c 14097 tail|m 20000 gap bytes=5899 "
	    "from=14101 to=20000|n 20000 x"));
	free(got);
	journal_free(j);
	scratch_drop(&s);
}

static void
pack_some(const struct scratch *s)
{
	char names[512][64];
	int n = segments(s, names, 512), fd = jdir_open(s->dir, "gw");

	for (int i = 0; i < n - 1; i += 1 + i % 2)
		assert_int_equal(pack_segment(fd, names[i], NULL), 0);
	close(fd);
}

static void
on_finding(void *arg, const struct check_finding *f)
{
	(void)arg;
	fail_msg("segment %u: %s", (unsigned)f->seq, f->text);
}

static void
check_seals(const struct scratch *s)
{
	static const struct check_ops ops = { on_finding, NULL, NULL };
	struct check_result result;

	assert_int_equal(check_journal(s->dir, "gw", NULL, &ops, NULL, &result), 0);
	assert_int_equal(result.unsealed, 0);
	assert_true(result.seals > 0);
}

/* Random bytes in, in random pieces; log --raw out. */
static void
property(size_t size, uint64_t segment_max, unsigned seed)
{
	uint8_t *data = xmalloc(size);
	struct scratch s;
	struct journal *j;
	int64_t now = 0;
	size_t at = 0, n;

	srand(seed);
	for (size_t i = 0; i < size; i++) {
		int kind = rand() % 16;

		data[i] = kind == 0 ? '\n' : kind == 1 ? '\r' :
		    kind < 6 ? (uint8_t)rand() : (uint8_t)(32 + rand() % 95);
	}
	for (size_t i = 0; i + 20000 < size; i += size / 5)
		memset(data + i, seed % 2 ? 0xff : 'z', 20000);
	scratch_make(&s);
	j = journal_at(&s, 0, segment_max);
	while (at < size) {
		n = rand() % 10 == 0 ? (size_t)rand() % 65536 :
		    (size_t)rand() % 64;
		if (n > size - at)
			n = size - at;
		assert_int_equal(journal_data(j, ms(now), data + at, n), n);
		at += n;
		now += rand() % 5 == 0 ? rand() % 400 : rand() % 4;
		if (rand() % 3 == 0)
			assert_int_equal(journal_flush(j, ms(now),
			    rand() % 20 == 0 ? JOURNAL_SHOW_ALL :
			    JOURNAL_SHOW_DUE), 0);
		if (rand() % 300 == 0)
			assert_int_equal(journal_event(j, ms(now),
			    RECORD_INPUT, "bob 1 bytes", 11), 0);
	}
	assert_int_equal(journal_flush(j, ms(now), JOURNAL_SHOW_ALL), 0);
	assert_int_equal(jfile_finish(journal_file(j), ms(now)), 0);
	journal_free(j);
	expect_raw(&s, (char *)data, size);
	/* Packed it is the same, and its seals are right. */
	pack_some(&s);
	expect_raw(&s, (char *)data, size);
	check_seals(&s);
	scratch_drop(&s);
	free(data);
}

static void
test_property(void **state)
{
	const char *megabytes = getenv("OOBD_PROPERTY_MB");

	(void)state;
	property((size_t)(megabytes == NULL ? 100 : atoi(megabytes)) *
	    1000000, 0, 1);
	property(1000000, 100000, 2);
	property(300000, 20000, 3);
}

static void
place(const struct scratch *s, struct jdir_place *p)
{
	struct jfile_conf conf = { .log_dir = s->dir, .console = "gw" };

	assert_int_equal(journal_find_place(&conf, p), 0);
}

/*
 * Many lives: restarts with and without a history (then previews are all there
 * is), failed syncs, rotation in between.  What comes out is what came.
 */
static void
lives(unsigned seed)
{
	struct jdir_place p = { .known = 0 };
	uint8_t *data;
	struct scratch s;
	struct journal *j;
	int64_t now = 0;
	size_t size = 100000, at = 0, n;

	srand(seed);
	data = xmalloc(size);
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(rand() % 16 == 0 ? '\n' : rand());
	scratch_make(&s);
	j = journal_at(&s, 0, 20000);
	while (at < size) {
		n = (size_t)rand() % 300;
		n = n < size - at ? n : size - at;
		assert_int_equal(journal_data(j, ms(now), data + at, n), n);
		at += n;
		now += rand() % 400;
		if (rand() % 2 == 0)
			assert_int_equal(journal_flush(j, ms(now),
			    rand() % 5 == 0 ? JOURNAL_SHOW_ALL :
			    JOURNAL_SHOW_DUE), 0);
		if (rand() % 20 == 0) {
			flush(j, now);
			journal_free(j);
			place(&s, &p);
			at = rand() % 2 == 0 ? p.resume : p.shown;
			j = journal_at(&s, at, 20000);
		}
		if (rand() % 30 == 0) {
			flush(j, now);
			place(&s, &p);
			journal_doubt(j, ms(now), p.resume, "test");
			at = journal_offset(j);
		}
	}
	assert_int_equal(journal_flush(j, ms(now), JOURNAL_SHOW_ALL), 0);
	assert_int_equal(jfile_finish(journal_file(j), ms(now)), 0);
	journal_free(j);
	expect_raw(&s, (char *)data, size);
	/* Packed it is the same, and its seals are right. */
	pack_some(&s);
	expect_raw(&s, (char *)data, size);
	check_seals(&s);
	scratch_drop(&s);
	free(data);
}

static void
test_lives(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++)
		lives(seed);
}

static void
test_rotation(void **state)
{
	char names[64][64], link[64], path[100];
	struct scratch s;
	struct journal *j;
	ssize_t n;
	int count;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 20000);
	for (int i = 0; i < 1000; i++) {
		put(j, i * 100, "a line of forty bytes, counting the CR\r\n");
		put(j, i * 100, "half");
		flush(j, i * 100 + 50);
		put(j, i * 100 + 60, "\n");
	}
	flush(j, 100000);
	count = segments(&s, names, 64);
	assert_in_range(count, 5, 12);
	for (int i = 0; i < count; i++)
		assert_int_equal(strtoul(names[i], NULL, 10), i + 1);
	snprintf(path, sizeof(path), "%s/gw/current", s.dir);
	n = readlink(path, link, sizeof(link) - 1);
	assert_true(n > 0);
	link[n] = '\0';
	assert_string_equal(link, names[count - 1]);
	journal_free(j);
	/* A new writer never appends. */
	j = journal_at(&s, 45000, 20000);
	flush(j, 200000);
	assert_int_equal(segments(&s, names, 64), count + 1);
	journal_free(j);
	scratch_drop(&s);
}

/* The clock went back to 1970: order is by number. */
static void
test_clock_step(void **state)
{
	struct stamp then = { 5000000, { 5001000000 } };
	char names[8][64];
	struct scratch s;
	struct journal *j;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	put(j, 0, "before\nope");
	flush(j, 0);
	assert_int_equal(journal_data(j, then, "n\nafter\n", 8), 8);
	flush(j, 2000);
	assert_int_equal(segments(&s, names, 8), 2);
	assert_string_equal(names[1], "00000002-19700101T000005Z.log");
	expect(&s, 0, "n 0 before");
	expect(&s, 1, "m 10 clock step=-1795340459.000s|"
	    "n 7 open\\@3:1000|n 12 after");
	journal_free(j);
	expect_raw(&s, "before\nopen\nafter\n", 18);
	scratch_drop(&s);
}

static void
test_place(void **state)
{
	struct jdir_place p;
	struct scratch s;
	struct journal *j;

	(void)state;
	scratch_make(&s);
	place(&s, &p);
	assert_false(p.known);
	j = journal_at(&s, 50, 0);
	flush(j, 0);
	place(&s, &p);
	assert_true(p.known);
	assert_int_equal(p.resume, 50);
	put(j, 0, "line\nlogin: ");
	flush(j, 500);
	put(j, 600, "x");
	flush(j, 900);
	place(&s, &p);
	assert_int_equal(p.resume, 55);
	assert_int_equal(p.shown, 63);
	assert_int_equal(journal_gap(j, ms(1000), 90), 0);
	flush(j, 1000);
	place(&s, &p);
	assert_int_equal(p.resume, 90);
	assert_int_equal(p.shown, 90);
	journal_free(j);
	scratch_drop(&s);
}

/* Cut a journal at every byte: whole records stay, the rest is put aside. */
static void
test_cut(void **state)
{
	static const char head[] = "oobd-journal 1";
	char names[8][64], path[200], side[220];
	char *text, *torn, *all;
	struct scratch s;
	struct journal *j;
	struct shown shown;
	size_t n, whole, tail;
	int fd;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	put(j, 0, "first line\r\n\x1b[1msecond\xff\r\nthi");
	put(j, 40, "rd\r\n");
	flush(j, 50);
	journal_free(j);
	assert_int_equal(segments(&s, names, 8), 1);
	snprintf(path, sizeof(path), "%s/gw/%s", s.dir, names[0]);
	snprintf(side, sizeof(side), "%s.torn", path);
	text = file_read(path, 100000, &n);
	for (size_t cut = 0; cut <= n; cut++) {
		fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(fd_write_all(fd, text, cut), 0);
		close(fd);
		j = journal_at(&s, 1000, 0);
		flush(j, 1000);
		journal_free(j);
		/* The evidence is untouched. */
		all = file_read(path, 100000, &tail);
		assert_int_equal(tail, cut);
		free(all);
		whole = cut;
		while (whole > 0 && text[whole - 1] != '\n')
			whole--;
		torn = file_read(side, 100000, &tail);
		all = segment_text(&s, 1, NULL);
		assert_non_null(strstr(all, head));
		if (whole == cut) {
			assert_null(torn);
			assert_null(strstr(all, "recovered"));
		} else {
			char want[64];

			assert_int_equal(tail, cut - whole);
			assert_memory_equal(torn, text + whole, tail);
			snprintf(want, sizeof(want), "m 1000 recovered "
			    "torn=%zu\n", tail);
			assert_non_null(strstr(all, want));
		}
		free(all);
		free(torn);
		shown = show(&s, "--raw", NULL);
		assert_true(shown.n[1] <= 33);
		assert_memory_equal(shown_text(&shown, 1),
		    "first line\r\n\x1b[1msecond\xff\r\nthird\r\n",
		    shown.n[1]);
		if (whole == n)
			assert_int_equal(shown.n[1], 32);
		shown_drop(&shown);
		unlink(side);
		segments(&s, names, 8);
		snprintf(side, sizeof(side), "%s/gw/%s", s.dir, names[1]);
		unlink(side);
		snprintf(side, sizeof(side), "%s.torn", path);
	}
	free(text);
	scratch_drop(&s);
}

/* Two writers cannot mix: the second is refused until the first is gone. */
static void
test_lock(void **state)
{
	struct scratch s;
	struct journal *a, *b;

	(void)state;
	scratch_make(&s);
	a = journal_at(&s, 0, 0);
	flush(a, 0);
	b = journal_at(&s, 0, 0);
	assert_int_equal(journal_flush(b, ms(0), JOURNAL_SHOW_DUE), -1);
	assert_int_equal(errno, EBUSY);
	assert_non_null(strstr(jfile_problem(journal_file(b)),
	    "another process"));
	journal_free(a);
	flush(b, 0);
	assert_string_equal(jfile_problem(journal_file(b)), "");
	journal_free(b);
	scratch_drop(&s);
}

/* The folder is taken away under it: it makes a new one within a second. */
static void
test_deleted(void **state)
{
	struct scratch s;
	struct journal *j;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	put(j, 0, "one\n");
	flush(j, 0);
	scratch_drop(&s);
	usleep(1100000);
	put(j, 2000, "two\n");
	flush(j, 2000);
	expect(&s, 0, "m 4 gone "
	    "file=00000001-20261122T094103Z.log|n 4 two");
	journal_free(j);
	scratch_drop(&s);
}

/* A folder that cannot be made: everything waits, then is there. */
static void
test_no_folder(void **state)
{
	struct scratch s;
	struct journal *j;
	char path[100];
	int fd;

	(void)state;
	scratch_make(&s);
	snprintf(path, sizeof(path), "%s/gw", s.dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	j = journal_at(&s, 0, 0);
	put(j, 0, "one\n");
	assert_int_equal(journal_flush(j, ms(0), JOURNAL_SHOW_DUE), -1);
	assert_non_null(strstr(jfile_problem(journal_file(j)), path));
	put(j, 10, "two\n");
	unlink(path);
	flush(j, 500);
	expect(&s, 0, "n 0 one|n 4 two");
	journal_free(j);
	scratch_drop(&s);
}

/*
 * Fill a file system: the journal takes what its memory holds, keeps its
 * place, and what it was offered again after space returned is all there.
 */
static void
fill_disk(bool mounted)
{
	static char line[101], want[3000 * 100];
	char ballast[100], *text;
	struct scratch s;
	struct journal *j;
	size_t took, size = 0;
	int fd, refused = 0;

	scratch_make(&s);
	if (mounted && small_disk(&s, 512) != 0) {
		scratch_drop(&s);
		print_message("may not mount: only the simulated one\n");
		return;
	}
	snprintf(ballast, sizeof(ballast), "%s/ballast", s.dir);
	if (mounted) {
		fd = open(ballast, O_CREAT | O_WRONLY, 0600);
		text = xcalloc(1, 300000);
		assert_int_equal(fd_write_all(fd, text, 300000), 0);
		free(text);
		close(fd);
	} else {
		disk_left = 150001;
	}
	j = journal_at(&s, 0, 0);
	for (int i = 0; i < 3000; i++) {
		snprintf(line, sizeof(line), "%-97d\r\n", i);
		memcpy(want + size, line, 99);
		took = journal_data(j, ms(i), want + journal_offset(j),
		    size + 99 - journal_offset(j));
		size += 99;
		if (i % 50 == 0)
			refused += journal_flush(j, ms(i),
			    JOURNAL_SHOW_DUE) == -1;
		assert_true(journal_offset(j) <= size);
		(void)took;
	}
	assert_in_range(refused, 5, 60);
	assert_string_not_equal(jfile_problem(journal_file(j)), "");
	assert_true(journal_offset(j) < size);
	if (mounted)
		unlink(ballast);
	else
		disk_left = -1;
	while (journal_offset(j) < size)
		assert_true(journal_data(j, ms(3000), want +
		    journal_offset(j), size - journal_offset(j)) > 0);
	flush(j, 3000);
	assert_string_equal(jfile_problem(journal_file(j)), "");
	journal_free(j);
	expect_raw(&s, want, size);
	if (mounted)
		small_disk_drop(&s);
	scratch_drop(&s);
}

static void
test_full_disk(void **state)
{
	(void)state;
	fill_disk(true);
	fill_disk(false);
}

/* An error in the middle of a record: a new segment has it whole. */
static void
test_write_error(void **state)
{
	static const char want[] = "one\ntwo\nthree\nfour\n";
	struct shown shown;
	struct scratch s;
	struct journal *j;
	const char *at;

	(void)state;
	disk_error = EIO;
	for (long left = 0; left < 160; left += 7) {
		scratch_make(&s);
		j = journal_at(&s, 0, 0);
		put(j, 0, "one\n");
		flush(j, 0);
		put(j, 10, "two\nthree\nfo");
		assert_int_equal(journal_event(j, ms(20), RECORD_EVENT,
		    "note", 4), 0);
		disk_left = left;
		assert_int_equal(journal_flush(j, ms(20), JOURNAL_SHOW_ALL),
		    -1);
		assert_non_null(strstr(jfile_problem(journal_file(j)),
		    "Input/output error"));
		/* Not even the next segment can be begun; none is left. */
		disk_left = 40;
		assert_int_equal(journal_flush(j, ms(20), JOURNAL_SHOW_ALL),
		    -1);
		disk_left = -1;
		put(j, 30, "ur\n");
		flush(j, 30);
		journal_free(j);
		shown = show(&s, "--text --events", NULL);
		at = strstr(shown_text(&shown, 1), "Z note\n");
		assert_non_null(at);
		assert_null(strstr(at + 1, "Z note\n"));
		shown_drop(&shown);
		expect_raw(&s, want, strlen(want));
		assert_null(segment_text(&s, 2, NULL));
		scratch_drop(&s);
	}
	disk_error = ENOSPC;
}

/* After a failed sync: a new segment from the last safe offset, no doubles. */
static void
test_doubt(void **state)
{
	int fds[JFILE_SYNC_FDS], n;
	struct scratch s;
	struct journal *j;
	uint64_t upto;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	put(j, 0, "safe\n");
	flush(j, 0);
	n = jfile_take_sync(journal_file(j), fds, &upto);
	assert_int_equal(n, 2);		/* the file and its folder */
	assert_int_equal(upto, 5);
	while (n > 0)
		close(fds[--n]);
	assert_false(jfile_is_dirty(journal_file(j)));
	put(j, 10, "in doubt\nhalf");
	assert_int_equal(journal_event(j, ms(20), RECORD_EVENT, "note a", 6),
	    0);
	flush(j, 20);
	assert_true(jfile_is_dirty(journal_file(j)));
	journal_doubt(j, ms(30), 5, "Input/output error");
	assert_int_equal(journal_offset(j), 5);
	put(j, 10, "in doubt\nhalf");
	put(j, 40, " more\n");
	flush(j, 50);
	expect(&s, 1, "m 5 sync-failed from=5 to=18 "
	    "why=\"Input/output error\"|n 5 in doubt|n 14 half more\\@4:30");
	journal_free(j);
	expect_raw(&s, "safe\nin doubt\nhalf more\n", 24);
	scratch_drop(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_preview),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_lives),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_clock_step),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_write_error),
		cmocka_unit_test(test_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
