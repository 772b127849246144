#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "serial/history.h"
#include "server/base/os.h"

#define SIZE (64 * 1024)

static struct history *
fresh(int *fd)
{
	struct history *h;

	*fd = os_anon_fd("history-test");
	assert_int_not_equal(*fd, -1);
	assert_int_equal(history_prepare(*fd, SIZE), 0);
	h = history_map(*fd, SIZE);
	assert_non_null(h);
	return h;
}

static struct stamp
at_us(int64_t us)
{
	return (struct stamp){ 1000000000 + us, { us } };
}

/* The byte that stands at this offset of the test stream. */
static uint8_t
pattern(uint64_t at)
{
	return (uint8_t)(at * 2654435761U >> 13);
}

static void
put(struct history *h, uint64_t n, int64_t us)
{
	uint8_t b[5000];

	while (n > 0) {
		size_t part = n < sizeof(b) ? (size_t)n : sizeof(b);

		for (size_t i = 0; i < part; i++)
			b[i] = pattern(history_head(h) + i);
		history_write(h, at_us(us), b, part);
		n -= part;
	}
}

static void
test_reads_back_across_the_wrap(void **state)
{
	uint8_t b[3000];
	struct history *h;
	uint64_t at;
	ssize_t n;
	int fd;

	(void)state;
	h = fresh(&fd);
	put(h, SIZE + 12345, 0);
	assert_int_equal(history_head(h), SIZE + 12345);
	assert_int_equal(history_tail(h), 12345);
	for (at = history_tail(h); at < history_head(h); at += (uint64_t)n) {
		n = history_read(h, at, b, sizeof(b));
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(b[i], pattern(at + (uint64_t)i));
	}
	assert_int_equal(history_read(h, at, b, sizeof(b)), 0);
	assert_int_equal(history_read(h, 12344, b, sizeof(b)), -1);
	assert_int_equal(history_read(h, at + 1, b, sizeof(b)), -1);
	history_unmap(h);
	close(fd);
}

static void
test_outlives_its_mapping(void **state)
{
	struct history *h;
	uint8_t b[100];
	int fd;

	(void)state;
	h = fresh(&fd);
	put(h, 100, 7);
	history_unmap(h);
	assert_int_equal(history_prepare(fd, SIZE), 0);
	h = history_map(fd, SIZE);
	assert_int_equal(history_head(h), 100);
	assert_int_equal(history_read(h, 0, b, 100), 100);
	assert_int_equal(b[99], pattern(99));
	history_unmap(h);
	/* another size starts anew */
	assert_int_equal(history_prepare(fd, 2 * SIZE), 0);
	h = history_map(fd, 2 * SIZE);
	assert_int_equal(history_head(h), 0);
	history_unmap(h);
	close(fd);
}

/* A file of before a power cut may be a mixture of old and new pages. */
static void
test_earlier_boot_is_forgotten(void **state)
{
	char boot[OS_BOOT_ID], page[4096], *p = NULL;
	struct history *h;
	int fd;

	(void)state;
	if (os_boot_id(boot, sizeof(boot)) == -1)
		fail_msg("no boot id");
	h = fresh(&fd);
	put(h, 1000, 0);
	history_unmap(h);
	assert_int_equal(pread(fd, page, sizeof(page), 0), sizeof(page));
	for (size_t i = 0; i + strlen(boot) < sizeof(page) && p == NULL; i++)
		p = memcmp(page + i, boot, strlen(boot)) == 0 ? page + i : NULL;
	assert_non_null(p);
	*p = *p == 'x' ? 'y' : 'x';
	assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
	assert_int_equal(history_prepare(fd, SIZE), 0);
	h = history_map(fd, SIZE);
	assert_non_null(h);
	assert_int_equal(history_head(h), 0);
	history_unmap(h);
	close(fd);
}

/* A number of the file's first page is another one. */
static struct history *
spoiled(int *fd, off_t at, uint64_t number)
{
	struct history *h = fresh(fd);

	put(h, 1000, 0);
	memcpy(history_landing(h), "landed", 6);
	history_unmap(h);
	assert_int_equal(pwrite(*fd, &number, sizeof(number), at), 8);
	assert_int_equal(history_prepare(*fd, SIZE), 0);
	h = history_map(*fd, SIZE);
	assert_non_null(h);
	return h;
}

static void
test_numbers_that_cannot_be(void **state)
{
	static const struct {
		off_t at;
		uint64_t number, head, tail;
		size_t orphan;
	} cases[] = {
		{ 16, 1001, 1000, 1000, 0 },		/* base */
		{ 24, 5, 1000, 0, 6 },			/* reserved */
		{ 32, UINT64_MAX, 0, 0, 0 },		/* head */
		{ 32, UINT64_C(1) << 63, 0, 0, 0 },
		{ 40, 1001, 1000, 1000, 0 },		/* marks */
		{ 48, 1001, 1000, 0, 0 },		/* landing_at */
	};
	const uint8_t *raw;
	uint64_t written;
	struct history *h;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		h = spoiled(&fd, cases[i].at, cases[i].number);
		assert_int_equal(history_head(h), cases[i].head);
		assert_int_equal(history_tail(h), cases[i].tail);
		assert_int_equal(history_orphan(h, &raw, &written),
		    cases[i].orphan);
		/* Nothing old stands behind what lands next. */
		if (cases[i].orphan == 0)
			assert_int_equal(history_landing(h)[0], 0xf8);
		put(h, 10, 0);
		assert_int_equal(history_head(h), cases[i].head + 10);
		history_unmap(h);
		close(fd);
	}
}

/* A byte that is neither true nor false: the landing place is not to be used. */
static void
test_a_flag_that_cannot_be(void **state)
{
	const uint8_t flag = 16, *raw;
	uint64_t written;
	struct history *h;
	int fd;

	(void)state;
	h = fresh(&fd);
	put(h, 1000, 0);
	memcpy(history_landing(h), "landed", 6);
	assert_int_equal(history_orphan(h, &raw, &written), 6);
	assert_int_equal(pwrite(fd, &flag, 1, 56), 1);
	assert_int_equal(history_orphan(h, &raw, &written), 0);
	assert_int_equal(history_landing(h)[0], 0xf8);
	memcpy(history_landing(h), "l", 1);
	assert_int_equal(history_orphan(h, &raw, &written), 1);
	history_unmap(h);
	close(fd);
}

static void
test_bad_sizes_are_refused(void **state)
{
	int fd = os_anon_fd("x");

	(void)state;
	assert_int_equal(history_prepare(fd, 1000), -1);
	assert_int_equal(history_prepare(fd, SIZE + 1), -1);
	assert_null(history_map(fd, SIZE));
	close(fd);
}

static void
test_times(void **state)
{
	struct history *h;
	struct stamp when;
	int fd;

	(void)state;
	h = fresh(&fd);
	put(h, 10, 0);
	put(h, 5, 400);		/* within the same millisecond */
	put(h, 20, 5000);
	assert_int_equal(history_time(h, 0, &when), 15);
	assert_int_equal(when.mono.us, 0);
	assert_int_equal(history_time(h, 14, &when), 1);
	assert_int_equal(history_time(h, 15, &when), 20);
	assert_int_equal(when.mono.us, 5000);
	assert_int_equal(when.utc_us, 1000005000);
	assert_int_equal(history_time(h, 35, &when), 0);
	for (int64_t i = 0; i < 5000; i++)
		put(h, 3, 10000 + i * 2000);
	assert_int_equal(history_time(h, history_head(h) - 3, &when), 3);
	assert_int_equal(when.mono.us, 10000 + 4999 * 2000);
	/* too old to be known: the oldest mark, and still progress */
	assert_true(history_time(h, 1, &when) >= 1);
	history_unmap(h);
	close(fd);
}

static void
test_restart(void **state)
{
	struct history *h;
	int fd;

	(void)state;
	h = fresh(&fd);
	put(h, 1000, 0);
	history_restart(h, 1 << 20);
	assert_int_equal(history_head(h), 1 << 20);
	assert_int_equal(history_tail(h), 1 << 20);
	put(h, 1, 0);
	assert_int_equal(history_tail(h), 1 << 20);
	assert_int_equal(history_head(h), (1 << 20) + 1);
	history_unmap(h);
	close(fd);
}

static void *
write_much(void *arg)
{
	for (int i = 0; i < 200; i++)
		put(arg, 65536, i);
	return NULL;
}

/* A reader in another thread gets right bytes or is told it was lapped. */
static void
test_lapped_reader_never_gets_wrong_bytes(void **state)
{
	uint64_t at = 0, good = 0;
	struct history *h;
	uint8_t b[4096];
	pthread_t t;
	ssize_t n;
	int fd;

	(void)state;
	h = fresh(&fd);
	assert_int_equal(pthread_create(&t, NULL, write_much, h), 0);
	while (at < 200 * 65536) {
		n = history_read(h, at, b, sizeof(b));
		if (n == -1) {
			at = history_tail(h);
			continue;
		}
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(b[i], pattern(at + (uint64_t)i));
		at += (uint64_t)n;
		good += (uint64_t)n;
	}
	pthread_join(t, NULL);
	assert_true(good > 0);
	history_unmap(h);
	close(fd);
}

/* Killed at each point of a batch: nothing is lost, nothing comes twice. */
static void
test_what_was_read_outlives_a_kill(void **state)
{
	struct history *h, *heir;
	const uint8_t *raw;
	uint64_t written;
	int fd;

	(void)state;
	h = fresh(&fd);
	assert_int_equal(history_orphan(h, &raw, &written), 0);
	put(h, 100, 0);
	history_set_note(h, 2);
	memcpy(history_landing(h), "hello, world", 12);

	heir = history_map(fd, SIZE);		/* read, nothing written */
	assert_int_equal(history_orphan(heir, &raw, &written), 12);
	assert_memory_equal(raw, "hello, world", 12);
	assert_int_equal(history_note(heir), 2);
	assert_int_equal(written, 0);
	history_unmap(heir);

	history_write(h, at_us(1), "hello", 5);
	heir = history_map(fd, SIZE);		/* written in part */
	assert_int_equal(history_orphan(heir, &raw, &written), 12);
	assert_int_equal(written, 5);
	history_unmap(heir);

	history_write(h, at_us(1), ", world", 7);
	heir = history_map(fd, SIZE);		/* written, not yet cleared */
	assert_int_equal(history_orphan(heir, &raw, &written), 12);
	assert_int_equal(written, 12);
	assert_int_equal(history_note(heir), 2);
	history_unmap(heir);

	history_landed(h, 12, 3);
	assert_int_equal(history_orphan(h, &raw, &written), 0);
	assert_int_equal(history_note(h), 3);
	assert_int_equal(history_landing(h)[0], 0xf8);

	/* A restarted stream has nothing to do with what was read before. */
	memcpy(history_landing(h), "old", 3);
	history_restart(h, 4000);
	assert_int_equal(history_orphan(h, &raw, &written), 0);
	assert_int_equal(history_note(h), 0);
	assert_int_equal(history_landing(h)[0], 0xf8);
	history_unmap(h);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back_across_the_wrap),
		cmocka_unit_test(test_outlives_its_mapping),
		cmocka_unit_test(test_earlier_boot_is_forgotten),
		cmocka_unit_test(test_numbers_that_cannot_be),
		cmocka_unit_test(test_a_flag_that_cannot_be),
		cmocka_unit_test(test_bad_sizes_are_refused),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_what_was_read_outlives_a_kill),
		cmocka_unit_test(test_lapped_reader_never_gets_wrong_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
