#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/chain.h"

/* The same hash that b2sum -l 256 has. */
static void
test_b2sum(void **state)
{
	struct seal_hash *h = seal_hash_new();
	char hash[SEAL_HASH], line[100];
	FILE *f;

	(void)state;
	seal_hash_add(h, "hello ", 6);
	seal_hash_add(h, "world\n", 6);
	seal_hash_end(h, hash);
	f = popen("printf 'hello world\\n' | b2sum -l 256", "r");
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	assert_memory_equal(line, hash, 64);
}

/* Each seal's hash is that of its span; together they are a chain. */
static void
check_segment(char *text, struct seal_mark *prev, size_t *seals)
{
	struct record_space *space = xmalloc(sizeof(*space));
	char *span = text, *p = text, *lf, hash[SEAL_HASH];
	struct seal_fields f;
	struct seal_hash *h;
	struct record r;
	size_t n = 0;

	for (; (lf = strchr(p, '\n')) != NULL; p = lf + 1) {
		assert_int_equal(record_decode(p, (size_t)(lf - p), &r,
		    space), 0);
		if (r.type != RECORD_SEAL) {
			n++;
			continue;
		}
		assert_int_equal(seal_parse(&r, &f), 0);
		assert_string_equal(f.prev, prev->hash);
		assert_int_equal(f.number, prev->number + 1);
		assert_int_equal(f.records, n);
		h = seal_hash_new();
		seal_hash_add(h, span, (size_t)(lf - 64 - span));
		seal_hash_end(h, hash);
		assert_string_equal(f.hash, hash);
		for (size_t i = 0; i < n; i++) {
			char check[4];

			lf = strchr(span, '\n');
			snprintf(check, sizeof(check), "%03x",
			    seal_check(span, (size_t)(lf + 1 - span)));
			assert_memory_equal(f.checks + 3 * i, check, 3);
			span = lf + 1;
		}
		lf = strchr(p, '\n');
		span = lf + 1;
		prev->number = f.number;
		memcpy(prev->hash, f.hash, sizeof(f.hash));
		n = 0;
		++*seals;
	}
	assert_int_equal(n, 0);
	assert_true(f.last);
	free(space);
}

static void
test_chain(void **state)
{
	struct seal_mark prev = seal_none;
	struct scratch s;
	struct journal *j;
	char line[300], *text;
	size_t seals = 0;
	int n;

	(void)state;
	scratch_make(&s);
	srand(1);
	j = journal_at(&s, 0, 300000);
	for (int i = 0; i < 30000; i++) {
		n = rand() % 50;
		memset(line, 'a' + i % 26, (size_t)n);
		line[n++] = '\n';
		assert_int_equal(journal_data(j, ms(i), line, (size_t)n), n);
		if (i % 5000 == 4999)
			assert_int_equal(journal_flush(j, ms(i),
			    JOURNAL_SHOW_ALL), 0);
	}
	assert_int_equal(journal_flush(j, ms(30000), JOURNAL_SHOW_ALL), 0);
	assert_int_equal(jfile_finish(journal_file(j), ms(30000)), 0);
	journal_free(j);
	for (int i = 0; (text = segment_text(&s, i, NULL)) != NULL; i++) {
		assert_true(i == 0 || strstr(text, prev.hash) != NULL);
		check_segment(text, &prev, &seals);
		free(text);
	}
	/* At least one for each 64 KiB, and for each 1024 records. */
	assert_in_range(seals, 30, 60);
	scratch_drop(&s);
}

/* Killed: the next segment has the hash of what the old one has unsealed. */
static void
test_tail(void **state)
{
	struct chain_header h;
	struct scratch s;
	struct journal *j;
	char names[4][64], *text, hash[SEAL_HASH];
	struct seal_hash *sum;
	size_t n;
	int fd;

	(void)state;
	scratch_make(&s);
	for (int i = 0; i < 2; i++) {
		j = journal_at(&s, (uint64_t)i * 4, 0);
		journal_data(j, ms(i * 1000), "one\n", 4);
		assert_int_equal(journal_flush(j, ms(i * 1000),
		    JOURNAL_SHOW_ALL), 0);
		journal_free(j);
	}
	assert_int_equal(segments(&s, names, 4), 2);
	fd = jdir_open(s.dir, "gw");
	assert_int_equal(chain_header_read(fd, names[1], &h), 0);
	close(fd);
	text = segment_text(&s, 0, &n);
	assert_int_equal(h.seq, 2);
	assert_int_equal(h.tail, n);
	sum = seal_hash_new();
	seal_hash_add(sum, text, n);
	seal_hash_end(sum, hash);
	assert_string_equal(h.tail_hash, hash);
	assert_string_equal(h.prev.hash, "-");
	free(text);
	scratch_drop(&s);
}

/* Idle: a seal whenever it is time, and a new segment after a day. */
static void
test_idle(void **state)
{
	const int64_t minute = 60000;
	struct scratch s;
	struct journal *j;
	struct mono due;
	char *text;
	int seals = 0;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	journal_data(j, ms(0), "one\n", 4);
	assert_int_equal(journal_flush(j, ms(0), JOURNAL_SHOW_DUE), 0);
	for (int64_t at = 0; at < 24 * 60 * minute; at += minute) {
		assert_true(jfile_due(journal_file(j), &due));
		assert_true(due.us - ms(at).mono.us <= 15 * minute * 1000);
		if (due.us <= ms(at).mono.us)
			assert_int_equal(journal_flush(j, ms(at),
			    JOURNAL_SHOW_DUE), 0);
	}
	text = segment_text(&s, 0, NULL);
	for (char *p = text; (p = strstr(p, " k 4 seal=")) != NULL; p++)
		seals++;
	assert_in_range(seals, 95, 97);
	free(text);
	assert_null(segment_text(&s, 1, NULL));
	journal_data(j, ms(24 * 60 * minute), "two\n", 4);
	assert_int_equal(journal_flush(j, ms(24 * 60 * minute),
	    JOURNAL_SHOW_DUE), 0);
	journal_data(j, ms(24 * 60 * minute), "three\n", 6);
	assert_int_equal(journal_flush(j, ms(24 * 60 * minute),
	    JOURNAL_SHOW_DUE), 0);
	text = segment_text(&s, 1, NULL);
	assert_non_null(text);
	assert_non_null(strstr(text, " n 8 three\n"));
	free(text);
	journal_free(j);
	scratch_drop(&s);
}

/* Write what fits anywhere: every cut is taken up, the chain is whole. */
static void
test_short_writes(void **state)
{
	struct seal_mark prev = seal_none;
	struct scratch s;
	struct journal *j;
	char line[200], *text;
	size_t seals = 0, n;

	(void)state;
	scratch_make(&s);
	j = journal_at(&s, 0, 0);
	for (int i = 0; i < 3000; i++) {
		n = (size_t)sprintf(line, "%d some line of text\n", i);
		if (i % 100 == 50)
			disk_left = i % 3 * 20;
		journal_data(j, ms(i), line, n);
		if (i % 100 == 50)
			assert_int_equal(journal_flush(j, ms(i),
			    JOURNAL_SHOW_DUE), -1);
		disk_left = -1;
		assert_int_equal(journal_flush(j, ms(i), JOURNAL_SHOW_DUE),
		    0);
	}
	assert_int_equal(jfile_finish(journal_file(j), ms(3000)), 0);
	journal_free(j);
	text = segment_text(&s, 0, NULL);
	assert_non_null(strstr(text, "disk-full why=\"No space left"));
	check_segment(text, &prev, &seals);
	assert_in_range(seals, 3, 10);
	free(text);
	assert_null(segment_text(&s, 1, NULL));
	scratch_drop(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b2sum),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_short_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
