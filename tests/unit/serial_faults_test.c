/*
 * Every system call that the journal makes of the disk fails once, in turn:
 * nothing may be lost or doubled, and the seals must be right.
 */
#include <sys/syscall.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define write journal_help_write
#include "journal_help.h"
#undef write
#include "serial/check.h"
#include "serial/jread.h"
#include "serial/pack.h"

/* The call that fails, counted down; its error. */
static long countdown = -1;
static int error_now;
static unsigned failed;

/* Only a call that opens something can have no descriptor. */
static int
fails_to_open(void)
{
	if (countdown < 0 || countdown-- > 0)
		return 0;
	failed++;
	errno = error_now;
	return 1;
}

static int
fails(void)
{
	return error_now != EMFILE && fails_to_open();
}

ssize_t write(int, const void *, size_t);

ssize_t
write(int fd, const void *p, size_t n)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fails()) {
		/* Half of it may have gone out before. */
		if (n > 1 && error_now == ENOSPC)
			return syscall(SYS_write, fd, p, n / 2);
		return -1;
	}
	return syscall(SYS_write, fd, p, n);
}

int
openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	int mode = 0;

	if ((flags & O_CREAT) != 0) {
		va_start(ap, flags);
		mode = va_arg(ap, int);
		va_end(ap);
	}
	/* A full disk or one that is read-only can still be read. */
	if (((flags & O_CREAT) != 0 || error_now == EIO ||
	    error_now == EMFILE) && fails_to_open())
		return -1;
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

int
renameat(int from, const char *a, int to, const char *b)
{
	return fails() ? -1 : (int)syscall(SYS_renameat, from, a, to, b);
}

int
symlinkat(const char *to, int dir, const char *path)
{
	return fails() ? -1 : (int)syscall(SYS_symlinkat, to, dir, path);
}

int
fsync(int fd)
{
	return fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int
unlinkat(int dir, const char *path, int flags)
{
	return fails() ? -1 : (int)syscall(SYS_unlinkat, dir, path, flags);
}

#define LINES 400

/* Some of the fault's rounds: record, rotate, pack; then read all of it. */
static void
record(const struct scratch *s, long at, int error)
{
	struct journal *j = journal_at(s, 0, 20000);
	char line[100], names[64][64];
	size_t n, took;
	int fd, count;

	countdown = at;
	error_now = error;
	for (int i = 0; i < LINES; i++) {
		n = (size_t)snprintf(line, sizeof(line), "%05d some text\n",
		    i);
		/* The history offers again what was not taken. */
		for (took = 0; took < n; )
			took += journal_data(j, ms(i * 10), line + took,
			    n - took);
		if (i % 20 == 19)
			journal_flush(j, ms(i * 10), JOURNAL_SHOW_ALL);
	}
	countdown = -1;
	assert_int_equal(journal_flush(j, ms(LINES * 10), JOURNAL_SHOW_ALL),
	    0);
	assert_int_equal(jfile_finish(journal_file(j), ms(LINES * 10)), 0);
	journal_free(j);
	fd = jdir_open(s->dir, "gw");
	count = segments(s, names, 64);
	countdown = at / 4;
	for (int i = 0; i < count - 1; i++)
		pack_segment(fd, names[i], NULL);
	countdown = -1;
	for (int i = 0; i < count - 1; i++)
		pack_segment(fd, names[i], NULL);
	close(fd);
}

static void
read_back(const struct scratch *s)
{
	struct jread *in = jread_open(s->dir, "gw");
	struct record r;
	int n = 0;

	assert_non_null(in);
	while (jread_next(in, &r) == 1) {
		if (!record_is_data(&r))
			continue;
		assert_int_equal(atoi((const char *)r.data), n);
		n++;
	}
	assert_int_equal(n, LINES);
	jread_close(in);
}

static void
on_finding(void *arg, const struct check_finding *f)
{
	(void)arg;
	fail_msg("segment %u: %s", (unsigned)f->seq, f->text);
}

static const struct check_ops ops = { on_finding, NULL, NULL };

static void
every_call(int error)
{
	struct check_result result;
	struct scratch s;
	unsigned before;
	long at = 0;

	do {
		before = failed;
		scratch_make(&s);
		record(&s, at, error);
		read_back(&s);
		assert_int_equal(check_journal(s.dir, "gw", NULL, &ops, NULL,
		    &result), 0);
		assert_int_equal(result.findings, 0);
		scratch_drop(&s);
	} while (failed > before && ++at < 400);
	assert_in_range(at, error == EMFILE ? 10 : 30, 399);
}

static void
test_full(void **state)
{
	(void)state;
	every_call(ENOSPC);
}

static void
test_broken(void **state)
{
	(void)state;
	every_call(EIO);
}

static void
test_read_only(void **state)
{
	(void)state;
	every_call(EROFS);
}

static void
test_no_descriptor(void **state)
{
	(void)state;
	every_call(EMFILE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
