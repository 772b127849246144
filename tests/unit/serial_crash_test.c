#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/crash.h"
#include "serial/crash_head.h"
#include "server/base/os.h"

#define SIZE (256 * 1024)
#define QUIET 1000

static struct {
	struct scratch dir;
	struct history *h;
	struct crash *c;
	struct mono last;
} f;

static const struct alert_rule panic = { .name = "panic" };
static const struct alert_rule rebooted = { .name = "reboot" };

static struct history *
history(void)
{
	int fd = os_anon_fd("crash-test");
	struct history *h;

	assert_int_equal(history_prepare(fd, SIZE), 0);
	h = history_map(fd, SIZE);
	assert_non_null(h);
	close(fd);
	return h;
}

static void
open_crash(unsigned keep)
{
	struct crash_conf conf = { f.dir.dir, "gw", "box", keep, QUIET };

	f.c = crash_new(&conf, f.h);
}

static int
setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	scratch_make(&f.dir);
	f.h = history();
	open_crash(3);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	crash_free(f.c);
	history_unmap(f.h);
	scratch_drop(&f.dir);
	return 0;
}

/* The byte that stands at this offset of the test stream. */
static uint8_t
byte_at(uint64_t at)
{
	return (uint8_t)(at * 2654435761U >> 13);
}

static void
put(size_t n)
{
	uint8_t b[4096];
	struct stamp now = stamp_now();

	f.last = now.mono;
	while (n > 0) {
		size_t part = n < sizeof(b) ? n : sizeof(b);

		for (size_t i = 0; i < part; i++)
			b[i] = byte_at(history_head(f.h) + i);
		history_write(f.h, now, b, part);
		n -= part;
	}
}

static bool
happens(const struct alert_rule *rule)
{
	struct alert_hit hit = { .rule = rule, .when = ms(0),
	    .offset = history_head(f.h), .text = "panic: page fault" };

	return crash_happened(f.c, f.h, &hit);
}

/* As much later than the last byte. */
static bool
run(int64_t later_ms)
{
	struct mono last = f.last;
	int64_t due;
	bool r = crash_run(f.c, f.h, history_head(f.h), last,
	    mono_after(mono_now(), later_ms), &due);

	assert_true(r ? due == INT64_MAX || due == 0 : true);
	return r;
}

static size_t
list(struct crash_info **all)
{
	size_t n;

	*all = crash_list(f.dir.dir, "gw", &n);
	return n;
}

/* The only (or newest) one: its head; its bytes must be the stream's. */
static struct crash_head
newest(uint64_t *bytes)
{
	struct crash_info *all;
	size_t n = list(&all), len, at;
	struct crash_head head;
	char *path, *text;

	assert_true(n > 0);
	path = xasprintf("%s/gw/crash/%s", f.dir.dir, all[n - 1].file);
	text = file_read(path, 1 << 20, &len);
	assert_non_null(text);
	at = crash_head_read(&head, text, len);
	assert_true(at > 0);
	*bytes = len - at;
	for (size_t i = at; i < len; i++)
		assert_int_equal((uint8_t)text[i],
		    byte_at(head.from + i - at));
	if (!crash_is_part(all[n - 1].file))
		assert_int_equal(head.info.bytes, len - at);
	free(text);
	free(path);
	free(all);
	return head;
}

static void
test_whole(void **state)
{
	struct crash_head head;
	struct crash_info *all;
	uint64_t bytes;

	(void)state;
	put(100000);
	assert_true(happens(&panic));
	assert_false(run(0));
	assert_int_equal(list(&all), 1);
	assert_string_equal(all[0].ended, "");
	free(all);
	put(5000);
	assert_false(run(QUIET - 500));
	assert_true(happens(&rebooted));
	put(20000);
	assert_false(run(QUIET - 500));
	assert_true(run(QUIET + 500));
	head = newest(&bytes);
	assert_int_equal(head.from, 100000 - CRASH_BEFORE);
	assert_int_equal(head.offset, 100000);
	assert_int_equal(bytes, CRASH_BEFORE + 25000);
	assert_string_equal(head.alerts, "panic,reboot");
	assert_string_equal(head.line, "panic: page fault");
	assert_string_equal(head.console, "gw");
	assert_string_equal(head.box, "box");
	assert_string_equal(head.info.ended, "quiet");
	assert_int_equal(list(&all), 1);
	assert_string_equal(all[0].file,
	    "00000001-20261122T094103Z-panic.crash");
	assert_string_equal(all[0].alert, "panic");
	assert_int_equal(all[0].bytes, CRASH_BEFORE + 25000);
	assert_string_equal(all[0].ended, "quiet");
	free(all);
}

static void
test_limit(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_true(happens(&panic));
	for (int i = 0; i < 7 && !run(0); i++)
		put(100000);
	assert_string_equal(newest(&bytes).info.ended, "limit");
	assert_int_equal(bytes, CRASH_AFTER);
}

static void
test_time(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_true(happens(&panic));
	put(10);
	f.last = mono_after(f.last, CRASH_LONGEST_MS);
	assert_true(run(CRASH_LONGEST_MS + 1));
	assert_string_equal(newest(&bytes).info.ended, "time");
}

static void
test_gap(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_true(happens(&panic));
	put(1000);
	assert_false(run(0));
	put(SIZE + 100000);
	assert_true(run(0));
	assert_string_equal(newest(&bytes).info.ended, "gap");
	assert_int_equal(bytes, 1000);
}

static void
test_keeps_the_newest(void **state)
{
	struct crash_info *all;

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_true(happens(&panic));
		put(10);
		assert_true(run(QUIET + 100));
	}
	assert_int_equal(list(&all), 3);
	assert_int_equal(all[0].id, 3);
	assert_int_equal(all[2].id, 5);
	free(all);
	crash_configure(f.c, 0, QUIET);
	assert_false(happens(&panic));
}

/* We are killed in the middle: whoever comes next goes on. */
static void
test_taken_up(void **state)
{
	struct crash_head head;
	uint64_t bytes;

	(void)state;
	put(1000);
	assert_true(happens(&panic));
	put(1000);
	assert_false(run(0));
	put(500);			/* read, but not yet copied */
	crash_free(f.c);
	open_crash(3);
	put(500);
	assert_false(run(0));
	assert_true(run(QUIET + 100));
	head = newest(&bytes);
	assert_int_equal(bytes, 3000);
	assert_string_equal(head.info.ended, "quiet");
	assert_string_equal(head.info.alert, "panic");
}

/* And the history with us: it is said that the end is missing. */
static void
test_cut(void **state)
{
	struct crash_info *all;
	uint64_t bytes;

	(void)state;
	put(1000);
	assert_true(happens(&panic));
	put(1000);
	assert_false(run(0));
	crash_free(f.c);
	history_unmap(f.h);
	f.h = history();
	open_crash(3);
	assert_int_equal(list(&all), 1);
	assert_false(crash_is_part(all[0].file));
	free(all);
	assert_string_equal(newest(&bytes).info.ended, "cut");
	assert_int_equal(bytes, 2000);
	/* Numbers go on. */
	assert_true(happens(&panic));
	assert_int_equal(list(&all), 2);
	assert_int_equal(all[1].id, 2);
	free(all);
}

static void
write_file(const char *name, const char *text)
{
	char *path = xasprintf("%s/gw/crash/%s", f.dir.dir, name);

	assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
	free(path);
}

static void
test_foreign_files(void **state)
{
	static const char *const names[] = { "x", "00000009.crash",
	    "00000009-20261122T094103Z-.crash", "0009-20261122T094103Z-a.crash",
	    "00000009-20261122T094103Z-a.crash.tmp",
	    "00000009-20261122T094103Z-a b.part" };
	struct crash_info *all;
	char *path = crash_folder(f.dir.dir, "gw");

	(void)state;
	assert_int_equal(dir_make(path, 0700), 0);
	free(path);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		write_file(names[i], "oobd-crash 1\n\n");
	assert_int_equal(list(&all), 0);
	/* A name of ours with nothing sensible in it. */
	write_file("00000007-20261122T094103Z-a.part", "nonsense");
	crash_free(f.c);
	open_crash(3);
	assert_true(happens(&panic));
	assert_int_equal(list(&all), 2);
	assert_int_equal(all[1].id, 8);
	free(all);
}

/* The disk refuses: no bundle, and we live. */
static void
test_disk_refuses(void **state)
{
	char *path = xasprintf("%s/gw", f.dir.dir);

	(void)state;
	assert_int_equal(file_replace(path, "", 0, 0600), 0);
	assert_false(happens(&panic));
	assert_false(run(0));
	assert_int_equal(remove(path), 0);
	free(path);
	assert_true(happens(&panic));
}

int
main(void)
{
#define CRASH(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CRASH(test_whole),
		CRASH(test_limit),
		CRASH(test_time),
		CRASH(test_gap),
		CRASH(test_keeps_the_newest),
		CRASH(test_taken_up),
		CRASH(test_cut),
		CRASH(test_foreign_files),
		CRASH(test_disk_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
