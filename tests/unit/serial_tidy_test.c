#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include <fcntl.h>
#include <glob.h>
#include <time.h>

#include "journal_help.h"
#include "serial/jread.h"
#include "serial/tidy.h"
#include "serial/tidy_list.h"

#define DAY (INT64_C(24) * 3600 * 1000)

struct site {
	struct scratch s;
	struct tidy_keep keep;
	char removed[4096];
	bool missing;		/* one was gone before it was told */
};

/* A segment of a console, from a day of November on, of so many lines. */
static void
segment(const struct scratch *s, const char *console, int seq, int day,
    int lines)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", s->dir, console);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%08d-202611%02dT000000Z.log",
	    s->dir, console, seq, day);
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < lines; i++)
		fprintf(f, "2026-11-%02dT00:00:00.000000Z 5.000000 n %d "
		    "%08x%08x\n", day, i, (unsigned)rand(), (unsigned)rand());
	fclose(f);
}

static void
on_removing(void *arg, const struct tidy_removal *r)
{
	struct site *t = arg;
	size_t n = strlen(t->removed);
	int fd = jdir_open(t->s.dir, r->console);

	if (faccessat(fd, r->segment->name, F_OK, 0) != 0 ||
	    r->next->seq != r->segment->seq + 1)
		t->missing = true;
	close(fd);
	snprintf(t->removed + n, sizeof(t->removed) - n, "%s/%d:%s ",
	    r->console, (int)r->segment->seq, r->why);
}

static bool
on_keep(void *arg, const char *console, struct tidy_keep *keep)
{
	struct site *t = arg;

	if (strcmp(console, "gw") != 0)
		return false;
	*keep = t->keep;
	return true;
}

static const struct tidy_ops ops = { on_removing, on_keep };

static bool
exists(const struct site *t, const char *pattern)
{
	char command[200];

	snprintf(command, sizeof(command), "ls %s/%s >/dev/null 2>&1",
	    t->s.dir, pattern);
	return system(command) == 0;
}

/* Run until it has nothing to do; what was removed is in t. */
static void
tidy_up(struct site *t, const struct tidy_conf *conf, const char *done)
{
	struct tidy *tidy = tidy_start(t->s.dir, conf, &ops, t);

	assert_non_null(tidy);
	for (int i = 0; i < 500; i++) {
		usleep(10000);
		if (done != NULL ? exists(t, done) : i > 20)
			break;
	}
	usleep(50000);
	assert_true(tidy_stop(tidy, 5000));
	assert_false(t->missing);
}

static int
make(void **state)
{
	struct site *t = xcalloc(1, sizeof(*t));

	scratch_make(&t->s);
	*state = t;
	return 0;
}

static int
drop(void **state)
{
	struct site *t = *state;

	scratch_drop(&t->s);
	free(t);
	return 0;
}

/* Closed ones are packed, the newest is left alone. */
static void
test_pack(void **state)
{
	struct site *t = *state;
	struct tidy_conf conf = { .pack = true };

	for (int i = 1; i <= 4; i++)
		segment(&t->s, "gw", i, i, 5000);
	segment(&t->s, "sw", 1, 1, 100);
	tidy_up(t, &conf, "gw/00000003*.zst");
	assert_true(exists(t, "gw/00000001*.log.zst"));
	assert_false(exists(t, "gw/00000001*.log"));
	assert_false(exists(t, "gw/00000003*.log"));
	assert_true(exists(t, "gw/00000004*.log"));
	assert_true(exists(t, "sw/00000001*.log"));
	assert_string_equal(t->removed, "");
}

/* What was only just closed can wait; a clock that was set is no reason. */
static void
test_fresh(void **state)
{
	struct site *t = *state;
	struct tidy_conf conf = { .pack = true, .pack_after_ms = 60000 };
	const int64_t offs[] = { 0, -3600, 3600 };
	struct timespec times[2];
	char path[300];

	for (int i = 1; i <= 4; i++)
		segment(&t->s, "gw", i, i, 5000);
	for (int i = 1; i <= 3; i++) {
		glob_t g;

		snprintf(path, sizeof(path), "%s/gw/%08d*.log", t->s.dir, i);
		assert_int_equal(glob(path, 0, NULL, &g), 0);
		clock_gettime(CLOCK_REALTIME, &times[0]);
		times[0].tv_sec += (time_t)offs[i - 1];
		times[1] = times[0];
		assert_int_equal(utimensat(AT_FDCWD, g.gl_pathv[0], times, 0),
		    0);
		globfree(&g);
	}
	tidy_up(t, &conf, "gw/00000003*.zst");
	assert_true(exists(t, "gw/00000001*.log"));
	assert_true(exists(t, "gw/00000002*.log.zst"));
}

static void
test_age(void **state)
{
	struct site *t = *state;
	struct tidy_conf conf = { .pack = false };

	for (int i = 1; i <= 4; i++)
		segment(&t->s, "gw", i, i, 10);
	for (int i = 1; i <= 4; i++)
		segment(&t->s, "sw", i, i, 10);
	/* gw's ended on the 2nd, 3rd, 4th. */
	t->keep.age_ms = (stamp_now().utc_us - (T0 - 20 * DAY * 1000)) / 1000;
	tidy_up(t, &conf, NULL);
	assert_string_equal(t->removed, "gw/1:age ");
	assert_false(exists(t, "gw/00000001*"));
	conf.keep_age_ms = DAY;
	t->removed[0] = '\0';
	tidy_up(t, &conf, NULL);
	assert_true(exists(t, "gw/00000004*.log"));
	assert_true(exists(t, "sw/00000004*.log"));
	assert_false(exists(t, "sw/00000003*"));
	assert_false(exists(t, "gw/00000003*"));
}

/* The oldest of all go first; its own limit counts for one console. */
static void
test_size(void **state)
{
	struct site *t = *state;
	struct tidy_conf conf = { .keep_size = 250000 };

	for (int i = 1; i <= 5; i++) {
		segment(&t->s, "gw", i, 2 * i, 1000);
		segment(&t->s, "sw", i, 2 * i + 1, 1000);
	}
	tidy_up(t, &conf, NULL);
	/* 10 of some 60 KB: six have to go, and by time. */
	assert_string_equal(t->removed, "gw/1:size sw/1:size gw/2:size "
	    "sw/2:size gw/3:size sw/3:size ");
	t->removed[0] = '\0';
	t->keep.size = 100000;
	tidy_up(t, &conf, NULL);
	assert_string_equal(t->removed, "gw/4:size ");
	/* A limit that the newest alone exceeds leaves that one. */
	t->removed[0] = '\0';
	conf.keep_size = 1;
	tidy_up(t, &conf, NULL);
	assert_string_equal(t->removed, "sw/4:size ");
}

/* What vouches for the others goes after them. */
static void
test_box(void **state)
{
	struct site *t = *state;
	struct tidy_conf conf = { .keep_size = 1 };

	for (int i = 1; i <= 3; i++)
		segment(&t->s, JDIR_BOX, i, i, 10);
	for (int i = 1; i <= 3; i++)
		segment(&t->s, "gw", i, i + 1, 10);
	tidy_up(t, &conf, NULL);
	assert_string_equal(t->removed, ".box/1:size gw/1:size .box/2:size "
	    "gw/2:size ");
}

/* On a small file system the free space decides. */
static void
test_space(void **state)
{
	struct site *t = *state;
	struct tidy_conf conf = { .keep_free = 1 << 20 };

	if (small_disk(&t->s, 2048) != 0)
		skip();
	for (int i = 1; i <= 6; i++)
		segment(&t->s, "gw", i, i, 4500);
	tidy_up(t, &conf, NULL);
	small_disk_drop(&t->s);
	assert_string_equal(t->removed, "gw/1:free gw/2:free gw/3:free ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pack, make, drop),
		cmocka_unit_test_setup_teardown(test_fresh, make, drop),
		cmocka_unit_test_setup_teardown(test_age, make, drop),
		cmocka_unit_test_setup_teardown(test_size, make, drop),
		cmocka_unit_test_setup_teardown(test_box, make, drop),
		cmocka_unit_test_setup_teardown(test_space, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
