#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/check.h"
#include "serial/pack.h"

#define FOUND_MAX 64

/* What was found, in order. */
struct found {
	struct check_finding list[FOUND_MAX];
	size_t n;
	struct check_result result;
};

static void
on_finding(void *arg, const struct check_finding *f)
{
	struct found *found = arg;

	if (found->n < FOUND_MAX)
		found->list[found->n++] = *f;
}

static const struct check_ops ops = { on_finding, NULL, NULL };

static void
check(const struct scratch *s, struct found *f)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(check_journal(s->dir, "gw", NULL, &ops, f, &f->result), 0);
	assert_int_equal(f->result.findings, f->n);
}

/* Three segments and a seal every 40 lines or so; ended in order. */
static void
fill(const struct scratch *s, int lines)
{
	struct journal *j = journal_at(s, 0, 30000);
	char line[200];
	int n;

	for (int i = 0; i < lines; i++) {
		n = snprintf(line, sizeof(line), "%05d %08x\n", i,
		    (unsigned)i * 2654435761U);
		assert_int_equal(journal_data(j, ms(i * 100), line,
		    (size_t)n), n);
		if (i % 10 == 9)
			assert_int_equal(journal_event(j, ms(i * 100),
			    RECORD_EVENT, "note text=x", 11), 0);
		if (i % 40 == 39)
			jfile_want_seal(journal_file(j));
		assert_int_equal(journal_flush(j, ms(i * 100),
		    JOURNAL_SHOW_ALL), 0);
	}
	assert_int_equal(jfile_finish(journal_file(j), ms(lines * 100)), 0);
	journal_free(j);
}

static void
write_text(const struct scratch *s, int i, const char *text, size_t n)
{
	char names[64][64], path[200];
	int fd;

	assert_true(segments(s, names, 64) > i);
	snprintf(path, sizeof(path), "%s/gw/%s", s->dir, names[i]);
	/* Not O_TRUNC: some file systems wait for the disk then. */
	fd = open(path, O_WRONLY);
	assert_int_equal(fd_write_all(fd, text, n), 0);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	close(fd);
}

/* Where line number n (1 is the first) begins. */
static char *
line_at(char *text, size_t n)
{
	while (--n > 0)
		text = strchr(text, '\n') + 1;
	return text;
}

static size_t
line_len(const char *line)
{
	return (size_t)(strchr(line, '\n') + 1 - line);
}

static void
expect(const struct scratch *s, enum check_kind kind, size_t line,
    size_t upto)
{
	struct found f;

	check(s, &f);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.list[0].kind, kind);
	assert_int_equal(f.list[0].line, line);
	assert_int_equal(f.list[0].upto, upto);
}

static void
test_whole(void **state)
{
	struct scratch s;
	struct found f;
	char names[64][64];
	int n, fd;

	(void)state;
	scratch_make(&s);
	fill(&s, 1000);
	n = segments(&s, names, 64);
	assert_in_range(n, 3, 4);
	check(&s, &f);
	assert_int_equal(f.n, 0);
	assert_int_equal(f.result.segments, n);
	assert_true(f.result.ended);
	assert_true(f.result.seals > 25);
	assert_int_equal(f.result.records, 1000 + 100 + n);
	assert_int_equal(f.result.unsealed, 0);
	fd = jdir_open(s.dir, "gw");
	for (int i = 0; i < n - 1; i++)
		assert_int_equal(pack_segment(fd, names[i], NULL), 0);
	close(fd);
	check(&s, &f);
	assert_int_equal(f.n, 0);
	assert_int_equal(f.result.records, 1000 + 100 + n);
	scratch_drop(&s);
}

/* Line 20 of the first segment: an ordinary record amid others. */
static void
test_one_record(void **state)
{
	struct scratch s;
	char *text, *copy, *line;
	size_t n, len, next;

	(void)state;
	scratch_make(&s);
	fill(&s, 300);
	text = segment_text(&s, 0, &n);
	copy = xmalloc(2 * n);
	line = line_at(text, 20);
	len = line_len(line);
	next = line_len(line + len);
	/* Edited, not longer. */
	memcpy(copy, text, n);
	copy[line - text + 60] ^= 1;
	write_text(&s, 0, copy, n);
	expect(&s, CHECK_EDITED, 20, 20);
	/* Removed. */
	memcpy(copy, text, (size_t)(line - text));
	memcpy(copy + (line - text), line + len, n - (size_t)(line - text) -
	    len);
	write_text(&s, 0, copy, n - len);
	expect(&s, CHECK_REMOVED, 20, 20);
	/* Doubled. */
	memcpy(copy, text, (size_t)(line - text) + len);
	memcpy(copy + (line - text) + len, line, n - (size_t)(line - text));
	write_text(&s, 0, copy, n + len);
	expect(&s, CHECK_DOUBLED, 21, 21);
	/* Swapped with the next. */
	memcpy(copy, text, n);
	memcpy(copy + (line - text), line + len, next);
	memcpy(copy + (line - text) + next, line, len);
	write_text(&s, 0, copy, n);
	expect(&s, CHECK_SWAPPED, 20, 21);
	/* One that never was. */
	memcpy(copy, text, (size_t)(line - text));
	memcpy(copy + (line - text), "2026-11-22T09:41:04.000000Z 5001.000000 "
	    "m 9 forged\n", 51);
	memcpy(copy + (line - text) + 51, line, n - (size_t)(line - text));
	write_text(&s, 0, copy, n + 51);
	expect(&s, CHECK_ADDED, 20, 20);
	write_text(&s, 0, text, n);
	free(copy);
	free(text);
	scratch_drop(&s);
}

/* Which line, from 1, a byte stands in. */
static size_t
line_of(const char *text, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

/* Every bit of 4 KiB: the line it is in, or its seal, is named. */
static void
test_every_bit(void **state)
{
	enum { FROM = 9000 };
	struct scratch s;
	struct found f;
	char *text;
	size_t n, line, wide = 0;

	(void)state;
	scratch_make(&s);
	fill(&s, 300);
	text = segment_text(&s, 0, &n);
	assert_true(n > FROM + 4096);
	for (size_t bit = 0; bit < 4096 * 8; bit++) {
		line = line_of(text, FROM + bit / 8);
		text[FROM + bit / 8] ^= (char)(1 << bit % 8);
		write_text(&s, 0, text, n);
		check(&s, &f);
		if (f.n == 0)
			fail_msg("bit %zu (line %zu) is not noticed", bit,
			    line);
		/* The checks are short: one in 4096 says nothing. */
		if (f.list[0].kind == CHECK_SEAL && f.list[0].line > line) {
			wide++;
			text[FROM + bit / 8] ^= (char)(1 << bit % 8);
			continue;
		}
		/* A line end that is gone joins two of them. */
		if (f.list[0].line > line + 1 || f.list[0].upto + 1 < line)
			fail_msg("bit %zu of line %zu: %s", bit, line,
			    f.list[0].text);
		wide += f.list[0].upto > f.list[0].line + 1;
		text[FROM + bit / 8] ^= (char)(1 << bit % 8);
	}
	/* Nearly always it is one line that is named. */
	assert_true(wide < 40);
	free(text);
	scratch_drop(&s);
}

/* Without this segment, what is said? */
static void
test_segments(void **state)
{
	struct scratch s;
	struct found f;
	char names[64][64], path[3][200];

	(void)state;
	scratch_make(&s);
	fill(&s, 1000);
	segments(&s, names, 64);
	for (int i = 0; i < 2; i++)
		snprintf(path[i], sizeof(path[i]), "%s/gw/%s", s.dir,
		    names[i]);
	snprintf(path[2], sizeof(path[2]), "%s/gw/kept", s.dir);
	assert_int_equal(rename(path[1], path[2]), 0);
	check(&s, &f);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.list[0].kind, CHECK_SEGMENT_REMOVED);
	assert_int_equal(f.list[0].seq, 2);
	/* The first in the place of the second: both are told. */
	assert_int_equal(rename(path[0], path[1]), 0);
	assert_int_equal(rename(path[2], path[0]), 0);
	check(&s, &f);
	assert_true(f.n >= 2);
	assert_int_equal(f.list[0].kind, CHECK_SEGMENT_MOVED);
	assert_int_equal(f.list[0].seq, 1);
	assert_int_equal(f.list[1].kind, CHECK_SEGMENT_MOVED);
	assert_int_equal(f.list[1].seq, 2);
	scratch_drop(&s);
}

static void
remove_line(const struct scratch *s, size_t line)
{
	char *text, *at;
	size_t n, len;

	text = segment_text(s, 0, &n);
	at = line_at(text, line);
	len = line_len(at);
	memmove(at, at + len, n - (size_t)(at - text) - len);
	write_text(s, 0, text, n - len);
	free(text);
}

/* A seal that is gone, and a segment that lost its end. */
static void
test_seals(void **state)
{
	struct scratch s;
	struct found f;
	char *text, *p;
	size_t n, line;

	(void)state;
	scratch_make(&s);
	fill(&s, 1000);
	text = segment_text(&s, 0, &n);
	p = strstr(text, " k ");
	p = strstr(p + 1, " k ");
	line = line_of(text, (size_t)(p - text));
	remove_line(&s, line);
	check(&s, &f);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.list[0].kind, CHECK_SEAL);
	assert_int_equal(f.list[0].seal, 2);
	/* Cut at every byte of its last 3000. */
	for (size_t cut = 1; cut < 3000; cut += 7) {
		write_text(&s, 0, text, n - cut);
		check(&s, &f);
		assert_true(f.n >= 1);
		assert_int_equal(f.list[0].seq, 1);
		assert_int_equal(f.list[0].kind, CHECK_CUT);
	}
	free(text);
	scratch_drop(&s);
}

/* What a crash leaves unsealed is under the next segment's header. */
static void
test_tail(void **state)
{
	struct scratch s;
	struct journal *j;
	struct found f;
	char *text;
	size_t n;

	(void)state;
	scratch_make(&s);
	for (int i = 0; i < 3; i++) {
		j = journal_at(&s, (uint64_t)i * 8, 0);
		journal_data(j, ms(i * 1000), "one\ntwo\n", 8);
		assert_int_equal(journal_flush(j, ms(i * 1000),
		    JOURNAL_SHOW_ALL), 0);
		if (i == 1) {
			jfile_want_seal(journal_file(j));
			journal_flush(j, ms(1500), JOURNAL_SHOW_ALL);
			journal_event(j, ms(1600), RECORD_EVENT, "note", 4);
			journal_flush(j, ms(1700), JOURNAL_SHOW_ALL);
		}
		journal_free(j);
	}
	check(&s, &f);
	assert_int_equal(f.n, 0);
	assert_int_equal(f.result.unsealed, 3);
	text = segment_text(&s, 0, &n);
	text[n - 3] ^= 1;
	write_text(&s, 0, text, n);
	check(&s, &f);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.list[0].kind, CHECK_EDITED);
	write_text(&s, 0, text, n - 10);
	check(&s, &f);
	assert_int_equal(f.list[0].kind, CHECK_CUT);
	free(text);
	scratch_drop(&s);
}

/* Noise is no journal, and no reason to fall over. */
static void
test_noise(void **state)
{
	struct scratch s;
	struct found f;
	char *text;
	size_t n;

	(void)state;
	scratch_make(&s);
	fill(&s, 300);
	text = segment_text(&s, 0, &n);
	srand(3);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 1 << (round % 12); i++)
			text[(size_t)rand() % n] = (char)rand();
		write_text(&s, 0, text, n);
		check(&s, &f);
		assert_true(f.n > 0);
	}
	free(text);
	scratch_drop(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_one_record),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_seals),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
