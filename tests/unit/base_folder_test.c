#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/fileio.h"
#include "server/base/folder.h"
#include "server/base/mem.h"

/* D/in is what is held; D/in.before, where it was moved to, shows it. */
static char dir[PATH_MAX];

static char *
at(const char *rest)
{
	static char path[4][PATH_MAX + 64];
	static size_t next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, rest);
	return p;
}

static int
enter(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/oobd-folder-XXXXXX");
	if (mkdtemp(dir) == NULL || mkdir(at("in"), 0700) == -1)
		return -1;
	return file_replace(at("in/a"), "first", 5, 0600);
}

static int
leave(void **state)
{
	char command[PATH_MAX + 16];

	(void)state;
	folder_drop();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* Hold it, and put another in its place: who goes by paths sees that one. */
static void
hold_and_replace(void)
{
	assert_int_equal(folder_hold(at("in")), 0);
	assert_int_equal(rename(at("in"), at("in.before")), 0);
	assert_int_equal(mkdir(at("in"), 0700), 0);
}

static void
has(const char *path, const char *want)
{
	char *text = file_read(path, 100, NULL);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static void
test_nothing_held(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(folder_held(at("in/a")), 0);
	has(at("in/a"), "first");
	assert_int_equal(folder_stat(at("in/../in/a"), &st, 0), 0);
	assert_int_equal(folder_stat(at("in/b"), &st, 0), -1);
	assert_int_equal(errno, ENOENT);
}

static void
test_goes_by_what_is_held(void **state)
{
	struct statvfs v;
	struct stat st;
	struct dirent *e;
	bool seen = false;
	DIR *d;

	(void)state;
	hold_and_replace();
	assert_int_equal(folder_held(at("in/a")), strlen(at("in")));
	has(at("in/a"), "first");
	assert_int_equal(file_replace(at("in/a"), "second", 6, 0600), 0);
	assert_int_equal(access(at("in/a"), F_OK), -1);
	assert_int_equal(access(at("in.before/a"), F_OK), 0);
	assert_int_equal(dir_make(at("in/x/y"), 0700), 0);
	assert_int_equal(access(at("in.before/x/y"), F_OK), 0);
	assert_int_equal(access(at("in/x"), F_OK), -1);
	assert_int_equal(folder_rename(at("in/a"), at("in/x/b")), 0);
	has(at("in/x/b"), "second");
	d = folder_list(at("in"));
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		seen = seen || strcmp(e->d_name, "x") == 0;
	closedir(d);
	assert_true(seen);
	assert_int_equal(folder_space(at("in"), &v), 0);
	assert_true(v.f_blocks > 0);
	assert_int_equal(symlink("nowhere", at("in.before/l")), 0);
	assert_int_equal(folder_stat(at("in/l"), &st, 0), -1);
	assert_int_equal(folder_stat(at("in/l"), &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(folder_unlink(at("in/x/b")), 0);
	assert_int_equal(access(at("in.before/x/b"), F_OK), -1);
}

/* Only whole names count, and slashes do not. */
static void
test_which_folder(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("in/deep"), 0700), 0);
	assert_int_equal(mkdir(at("in2"), 0700), 0);
	assert_int_equal(folder_hold(at("in//")), 0);
	assert_int_equal(folder_hold(at("in/deep")), 0);
	assert_int_equal(folder_held(at("in2/a")), 0);
	assert_int_equal(folder_held(dir), 0);
	assert_int_equal(folder_held(at("in")), strlen(at("in")));
	assert_int_equal(folder_held(at("in/deeper")), strlen(at("in")));
	assert_int_equal(folder_held(at("in/deep/b")), strlen(at("in/deep")));
	has(at("in//a"), "first");
	assert_int_equal(file_replace(at("in2/a"), "other", 5, 0600), 0);
	has(at("in2/a"), "other");
	/* That of a removed one cannot be made in its place. */
	assert_int_equal(rmdir(at("in/deep")), 0);
	assert_int_equal(dir_make(at("in/deep/b"), 0700), -1);
	assert_int_equal(access(at("in/deep"), F_OK), -1);
}

static void
test_not_up_again(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(file_replace(at("out"), "secret", 6, 0600), 0);
	assert_int_equal(folder_hold(at("in")), 0);
	errno = 0;
	assert_int_equal(folder_open(at("in/../out"), O_RDONLY, 0), -1);
	assert_int_equal(errno, EACCES);
	assert_null(file_read(at("in/x/../../out"), 100, NULL));
	assert_int_equal(folder_stat(at("in/.."), &st, 0), -1);
	assert_int_equal(folder_unlink(at("in/../out")), -1);
	assert_int_equal(folder_rename(at("in/a"), at("in/../b")), -1);
	assert_int_equal(folder_mkdir(at("in/../c"), 0700), -1);
	/* What only looks like it. */
	assert_int_equal(file_replace(at("in/..a"), "x", 1, 0600), 0);
	has(at("in/..a"), "x");
	has(at("out"), "secret");
}

static void
test_one_file(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(folder_hold(at("in/a")), 0);
	assert_int_equal(rename(at("in/a"), at("in/b")), 0);
	has(at("in/a"), "first");
	has(at("in/a"), "first");
	assert_int_equal(folder_stat(at("in/a"), &st, 0), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(folder_open(at("in/a"), O_RDWR, 0), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(folder_open(at("in/a"), O_WRONLY | O_CREAT, 0600),
	    -1);
	/* It is no folder, and its neighbours are not held. */
	assert_int_equal(folder_held(at("in/a/b")), 0);
	assert_int_equal(folder_held(at("in/b")), 0);
}

static void
test_what_is_not_there(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(folder_hold(at("none")), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkdir(at("none"), 0700), 0);
	assert_int_equal(folder_stat(at("none"), &st, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(folder_open(at("none/a"), O_WRONLY | O_CREAT, 0600),
	    -1);
	assert_int_equal(errno, ENOENT);
	assert_null(folder_list(at("none")));
}

static void
test_bounds(void **state)
{
	(void)state;
	assert_int_equal(folder_hold(at("none")), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(folder_hold(at("in/a/b")), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(folder_held(at("in/a/b")), 0);
	for (int i = 1; i < FOLDER_MAX; i++)
		assert_int_equal(folder_hold(at("in")), 0);
	assert_int_equal(folder_hold(at("in")), -1);
	assert_int_equal(errno, ENFILE);
}

/* Whether it worked or not, no temporary file stays. */
static void
test_replace_leaves_nothing(void **state)
{
	struct dirent *e;
	int n = 0;
	DIR *d;

	(void)state;
	assert_int_equal(folder_hold(at("in")), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(file_replace(at("in/a"), "x", 1, 0640), 0);
	assert_int_equal(mkdir(at("in/full"), 0700), 0);
	assert_int_equal(file_replace(at("in/full"), "x", 1, 0640), -1);
	assert_int_equal(errno, EISDIR);
	d = opendir(at("in"));
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	assert_int_equal(n, 2);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, enter, leave)

static void
test_removed(void **state)
{
	(void)state;
	assert_false(folder_is_removed());
	assert_int_equal(folder_hold(at("in/a")), 0);
	assert_int_equal(folder_hold(at("in")), 0);
	assert_int_equal(unlink(at("in/a")), 0);
	assert_false(folder_is_removed());
	assert_int_equal(rename(at("in"), at("in.before")), 0);
	assert_false(folder_is_removed());
	assert_int_equal(rmdir(at("in.before")), 0);
	assert_true(folder_is_removed());
	folder_drop();
	assert_false(folder_is_removed());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_nothing_held),
		CASE(test_goes_by_what_is_held),
		CASE(test_which_folder),
		CASE(test_not_up_again),
		CASE(test_one_file),
		CASE(test_what_is_not_there),
		CASE(test_bounds),
		CASE(test_replace_leaves_nothing),
		CASE(test_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
