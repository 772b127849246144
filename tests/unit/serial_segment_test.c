#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/jread.h"
#include "serial/pack.h"
#include "serial/segment.h"

/* A journal of several segments: 10 lines a second, for `seconds`. */
static void
fill(const struct scratch *s, int seconds)
{
	struct journal *j = journal_at(s, 0, 1200000);
	char line[200];
	int n;

	for (int i = 0; i < seconds * 10; i++) {
		n = snprintf(line, sizeof(line), "%06d %08x %060d\n", i,
		    (unsigned)i * 2654435761U, i % 7);
		assert_int_equal(journal_data(j, ms(i * 100), line,
		    (size_t)n), n);
	}
	assert_int_equal(journal_flush(j, ms(seconds * 1000),
	    JOURNAL_SHOW_ALL), 0);
	journal_free(j);
}

static int
folder(const struct scratch *s)
{
	int fd = jdir_open(s->dir, "gw");

	assert_int_not_equal(fd, -1);
	return fd;
}

/* Pack all but the newest; returns how many. */
static int
pack_all(const struct scratch *s)
{
	char names[64][64];
	int n = segments(s, names, 64), fd = folder(s);

	for (int i = 0; i < n - 1; i++)
		assert_int_equal(pack_segment(fd, names[i], NULL), 0);
	close(fd);
	return n - 1;
}

static char *
output(const struct scratch *s, const char *command, size_t *n)
{
	char line[300];
	size_t room = 64 << 20;
	char *text = xmalloc(room);
	FILE *f;

	snprintf(line, sizeof(line), "cd %s/gw && %s", s->dir, command);
	f = popen(line, "r");
	assert_non_null(f);
	*n = fread(text, 1, room - 1, f);
	text[*n] = '\0';
	assert_int_equal(pclose(f), 0);
	return text;
}

/* zstd's own tools read it; what they read is what was there. */
static void
test_tools(void **state)
{
	struct scratch s;
	char *before, *after;
	size_t n, m;

	(void)state;
	scratch_make(&s);
	fill(&s, 3000);
	before = output(&s, "cat *Z.log", &n);
	assert_in_range(pack_all(&s), 2, 3);
	after = output(&s, "{ zstdcat *.zst; cat *Z.log; }", &m);
	assert_int_equal(n, m);
	assert_memory_equal(before, after, n);
	free(before);
	free(after);
	after = output(&s, "zstdgrep -h ' 012345 ' *.zst | wc -l", &m);
	assert_int_equal(atoi(after), 1);
	free(after);
	after = output(&s, "zstd -lv 00000001*.zst | grep Frames", &m);
	assert_non_null(strstr(after, "Frames"));
	free(after);
	scratch_drop(&s);
}

static void
expect_lines(const struct scratch *s, int from, int upto, uint64_t bytes)
{
	struct jread *in = jread_open(s->dir, "gw");
	struct record r;
	int n = from;

	assert_int_equal(jread_range(in, T0 + from * INT64_C(100000),
	    T0 + upto * INT64_C(100000)), 0);
	while (jread_next(in, &r) == 1)
		assert_int_equal(atoi((const char *)r.data), n++);
	assert_int_equal(n, upto + 1);
	assert_int_equal(jread_damaged(in), 0);
	assert_true(jread_bytes(in) < bytes);
	jread_close(in);
}

/* Every place is found, in both forms, and little is read for it. */
static void
test_range(void **state)
{
	struct scratch s;

	(void)state;
	scratch_make(&s);
	fill(&s, 3000);
	pack_all(&s);
	expect_lines(&s, 0, 29999, 20 << 20);
	srand(7);
	for (int i = 0; i < 100; i++) {
		int from = rand() % 29000;

		expect_lines(&s, from, from + rand() % 500, 1 << 20);
	}
	scratch_drop(&s);
}

static void
test_tail(void **state)
{
	struct scratch s;
	struct jread *in;
	struct record r;
	int n = 25000;

	(void)state;
	scratch_make(&s);
	fill(&s, 3000);
	pack_all(&s);
	in = jread_open(s.dir, "gw");
	assert_int_equal(jread_tail(in, 5000), 0);
	while (jread_next(in, &r) == 1)
		assert_int_equal(atoi((const char *)r.data), n++);
	assert_int_equal(n, 30000);
	jread_close(in);
	scratch_drop(&s);
}

/* A reader that is in the middle of a segment while it is packed. */
static void
test_meanwhile(void **state)
{
	struct scratch s;
	struct jread *in;
	struct record r;

	(void)state;
	scratch_make(&s);
	fill(&s, 3000);
	in = jread_open(s.dir, "gw");
	for (int i = 0; i < 30000; i++) {
		if (i == 100)
			pack_all(&s);
		assert_int_equal(jread_next(in, &r), 1);
		assert_int_equal(atoi((const char *)r.data), i);
	}
	assert_int_equal(jread_next(in, &r), 0);
	jread_close(in);
	scratch_drop(&s);
}

static bool
give_up(void *arg, long long worked)
{
	int *left = arg;

	(void)worked;
	return --*left > 0;
}

static bool
exists(int fd, const char *name)
{
	return faccessat(fd, name, F_OK, 0) == 0;
}

/* Stopped anywhere, and what a crash leaves: it is right in the end. */
static void
test_crash(void **state)
{
	struct scratch s;
	char names[64][64], packed[80], temp[90], copy[600];
	int fd, left, rounds = 0;
	struct pack_ops ops = { give_up, &left };

	(void)state;
	scratch_make(&s);
	fill(&s, 1000);
	segments(&s, names, 64);
	fd = folder(&s);
	snprintf(packed, sizeof(packed), "%s.zst", names[0]);
	snprintf(temp, sizeof(temp), "%s" PACK_TEMP, packed);
	do {
		left = ++rounds;
		errno = 0;
		if (pack_segment(fd, names[0], &ops) == 0)
			break;
		assert_int_equal(errno, ECANCELED);
		assert_true(exists(fd, names[0]));
		assert_false(exists(fd, packed));
		assert_false(exists(fd, temp));
	} while (rounds < 100);
	assert_in_range(rounds, 5, 50);
	assert_false(exists(fd, names[0]));
	expect_lines(&s, 0, 9999, 20 << 20);
	/* Killed before the plain one was removed. */
	snprintf(copy, sizeof(copy), "cd %s/gw && zstdcat %s > %s", s.dir,
	    packed, names[0]);
	assert_int_equal(system(copy), 0);
	expect_lines(&s, 0, 9999, 20 << 20);
	assert_int_equal(pack_segment(fd, names[0], NULL), 0);
	assert_false(exists(fd, names[0]));
	/* Killed while it was written, under its final name even. */
	snprintf(copy, sizeof(copy), "cd %s/gw && zstdcat %s > %s && "
	    "truncate -s 1000 %s && : > %s", s.dir, packed, names[0], packed,
	    temp);
	assert_int_equal(system(copy), 0);
	expect_lines(&s, 0, 9999, 20 << 20);
	assert_int_equal(pack_segment(fd, names[0], NULL), 0);
	assert_false(exists(fd, names[0]));
	assert_false(exists(fd, temp));
	expect_lines(&s, 0, 9999, 20 << 20);
	close(fd);
	scratch_drop(&s);
}

/* A flipped bit costs one frame, and the rest is there. */
static void
test_damaged(void **state)
{
	struct scratch s;
	struct jread *in;
	struct record r;
	char names[64][64], path[200];
	int n = 0, fd, bad;
	uint8_t c;

	(void)state;
	scratch_make(&s);
	fill(&s, 1000);
	segments(&s, names, 64);
	pack_all(&s);
	snprintf(path, sizeof(path), "%s/gw/%s.zst", s.dir, names[0]);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &c, 1, 100), 1);
	c ^= 4;
	assert_int_equal(pwrite(fd, &c, 1, 100), 1);
	in = jread_open(s.dir, "gw");
	while (jread_next(in, &r) == 1)
		n++;
	assert_true(jread_damaged(in) > 0);
	assert_in_range(n, 10000 - PACK_FRAME / 100, 9999);
	jread_close(in);
	/* Without its seek table it is no segment at all. */
	assert_int_equal(ftruncate(fd, 5000), 0);
	close(fd);
	fd = folder(&s);
	snprintf(path, sizeof(path), "%s.zst", names[0]);
	assert_null(segment_open(fd, path));
	bad = errno;
	assert_int_equal(bad, EBADMSG);
	close(fd);
	scratch_drop(&s);
}

static void
test_full_disk(void **state)
{
	struct scratch s;
	char names[64][64], packed[80];
	int fd;

	(void)state;
	scratch_make(&s);
	fill(&s, 1000);
	segments(&s, names, 64);
	fd = folder(&s);
	snprintf(packed, sizeof(packed), "%s.zst", names[0]);
	for (long left = 0; left < 300000; left += 9999) {
		disk_left = left;
		if (pack_segment(fd, names[0], NULL) == 0)
			break;
		assert_int_equal(errno, ENOSPC);
		assert_true(exists(fd, names[0]));
		assert_false(exists(fd, packed));
	}
	disk_left = -1;
	assert_false(exists(fd, names[0]));
	expect_lines(&s, 0, 9999, 20 << 20);
	close(fd);
	scratch_drop(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_meanwhile),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
