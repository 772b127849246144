#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/fileio.h"
#include "server/base/mem.h"

static char dir[] = "/tmp/oobd-fileio-XXXXXX";
static int home = -1;

static int
enter(void **state)
{
	(void)state;
	home = open(".", O_RDONLY);
	return mkdtemp(dir) == NULL || chdir(dir) == -1 ? -1 : 0;
}

static int
leave(void **state)
{
	char command[PATH_MAX];

	(void)state;
	if (fchdir(home) == -1)
		return -1;
	close(home);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* How many names there are in the folder. */
static int
names(const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);
	int n = 0;

	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
test_read_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8192, 100000 };
	char *data = xmalloc(100000), *got;
	size_t n;

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		data[i] = (char)(i * 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(file_replace("f", data, sizes[i], 0600), 0);
		got = file_read("f", 100000, &n);
		assert_non_null(got);
		assert_int_equal(n, sizes[i]);
		assert_memory_equal(got, data, n);
		assert_int_equal(got[n], '\0');
		free(got);
		/* Exactly the bound is fine, one less is not. */
		got = file_read("f", sizes[i], NULL);
		assert_non_null(got);
		free(got);
		if (sizes[i] > 0) {
			errno = 0;
			assert_null(file_read("f", sizes[i] - 1, &n));
			assert_int_equal(errno, EFBIG);
		}
	}
	free(data);
	unlink("f");
}

static void
test_read_errors(void **state)
{
	(void)state;
	errno = 0;
	assert_null(file_read("nothing", 10, NULL));
	assert_int_equal(errno, ENOENT);
	errno = 0;
	assert_null(file_read("/", 10, NULL));
	assert_int_equal(errno, EISDIR);
}

static void
test_replace(void **state)
{
	struct stat st;
	char *got;

	(void)state;
	umask(077);
	assert_int_equal(file_replace("f", "one", 3, 0644), 0);
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_replace("f", "three", 5, 0600), 0);
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	got = file_read("f", 10, NULL);
	assert_string_equal(got, "three");
	free(got);
	assert_int_equal(names("."), 1);
	unlink("f");
}

/* A failure leaves the old file and nothing else. */
static void
test_replace_fails(void **state)
{
	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(mkdir("d/f", 0700), 0);
	assert_int_equal(file_replace("d/f", "x", 1, 0600), -1);
	assert_true(errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST);
	assert_int_equal(names("d"), 1);
	errno = 0;
	assert_int_equal(file_replace("nowhere/f", "x", 1, 0600), -1);
	assert_int_equal(errno, ENOENT);
	rmdir("d/f");
	rmdir("d");
}

static void
test_dir_make(void **state)
{
	char path[PATH_MAX];
	struct stat st;

	(void)state;
	umask(0);
	assert_int_equal(dir_make("a/b//c/", 0710), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0710);
	assert_int_equal(dir_make("a/b/c", 0700), 0);
	assert_int_equal(dir_make("/", 0700), 0);
	snprintf(path, sizeof(path), "%s/x/y", dir);
	assert_int_equal(dir_make(path, 0700), 0);
	assert_int_equal(stat("x/y", &st), 0);
	errno = 0;
	assert_int_equal(dir_make("", 0700), -1);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(dir_make(path, 0700), -1);
}

/* What is there is a file. */
static void
test_dir_make_fails(void **state)
{
	(void)state;
	assert_int_equal(file_replace("file", "", 0, 0600), 0);
	errno = 0;
	assert_int_equal(dir_make("file/below", 0700), -1);
	assert_int_equal(errno, ENOTDIR);
	errno = 0;
	assert_int_equal(dir_make("file", 0700), -1);
	assert_true(errno == ENOTDIR || errno == EEXIST);
	unlink("file");
}

static void
test_write_all(void **state)
{
	int fds[2];
	char got[4];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fd_write_all(fds[1], "abc", 3), 0);
	assert_int_equal(read(fds[0], got, 4), 3);
	assert_int_equal(fd_write_all(fds[1], "", 0), 0);
	close(fds[1]);
	assert_int_equal(fd_write_all(fds[1], "abc", 3), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(fd_prepare(fds[0]), 0);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	close(fds[0]);
	assert_int_equal(fd_prepare(fds[0]), -1);
}

static void
test_read_at(void **state)
{
	char path[] = "/tmp/oobd-fileio-XXXXXX", got[8] = "";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(fd_write_all(fd, "0123456789", 10), 0);
	assert_int_equal(fd_read_at(fd, got, 4, 3), 4);
	assert_memory_equal(got, "3456", 4);
	assert_int_equal(fd_read_at(fd, got, 8, 7), 3);
	assert_int_equal(fd_read_at(fd, got, 8, 10), 0);
	close(fd);
	unlink(path);
	assert_int_equal(fd_read_at(fd, got, 8, 0), -1);
}

/* A newcomer may not take the last ones. */
static void
test_leaves_room(void **state)
{
	struct rlimit old, few;
	int fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	fd = fcntl(STDERR_FILENO, F_DUPFD, 99 - FD_ROOM);
	assert_true(fd_leaves_room(fd));
	close(fd);
	fd = fcntl(STDERR_FILENO, F_DUPFD, 100 - FD_ROOM);
	assert_int_equal(fd, 100 - FD_ROOM);
	assert_false(fd_leaves_room(fd));
	assert_int_equal(errno, EMFILE);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_sizes),
		cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_replace_fails),
		cmocka_unit_test(test_dir_make),
		cmocka_unit_test(test_dir_make_fails),
		cmocka_unit_test(test_write_all),
		cmocka_unit_test(test_read_at),
		cmocka_unit_test(test_leaves_room),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
