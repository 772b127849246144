#include <sys/stat.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/codes.h"
#include "server/base/fileio.h"

#define NOBODY 65534

struct place {
	char dir[64];
	struct codes *codes;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/oobd-codes-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->codes = codes_open(p->dir);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	codes_close(p->codes);
	snprintf(command, sizeof(command), "rm -rf '%s'", p->dir);
	free(p);
	return system(command);
}

static void
reopen(struct place *p)
{
	codes_close(p->codes);
	p->codes = codes_open(p->dir);
}

/* What the admin's app would show. */
static char *
code_at(struct place *p, const char *name, uint64_t counter)
{
	static char code[OTP_CODE];
	struct codes_record r;

	assert_int_equal(codes_get(p->codes, name, &r), 0);
	assert_int_equal(otp_code(&r.secret, counter, code), 0);
	return code;
}

static uint64_t
counter_of(struct place *p, const char *name)
{
	struct codes_record r;

	assert_int_equal(codes_get(p->codes, name, &r), 0);
	return r.counter;
}

static void
make(struct place *p, const char *name, bool totp)
{
	struct codes_record r;

	assert_int_equal(codes_new(p->codes, name, totp, false, &r), 0);
}

static enum codes_verdict
take(struct place *p, const char *code, struct codes_match *m)
{
	struct codes_query q = { .code = code };
	struct codes_match unused;

	return codes_take(p->codes, &q, m == NULL ? &unused : m);
}

static enum codes_verdict
take_narrow(struct place *p, const char *code)
{
	struct codes_query q = { .code = code, .narrow = true };
	struct codes_match m;

	return codes_take(p->codes, &q, &m);
}

/* A text that is nobody's code now. */
static char *
wrong_code(struct place *p)
{
	static char code[OTP_CODE];
	struct codes_query q = { .code = code };
	struct codes_match m;

	for (unsigned i = 0;; i++) {
		snprintf(code, sizeof(code), "%08u", i * 7919 + 1);
		if (codes_look(p->codes, "alice", &q, &m) == CODES_WRONG)
			return code;
	}
}

static void
a_code_works_once(void **state)
{
	struct place *p = *state;
	struct codes_match m;
	char code[OTP_CODE];

	make(p, "alice", false);
	make(p, "bob", false);
	strcpy(code, code_at(p, "bob", 0));
	assert_int_equal(take(p, code, &m), CODES_GOOD);
	assert_string_equal(m.who, "bob");
	assert_int_equal(m.counter, 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(take(p, code, &m), CODES_USED);
		assert_string_equal(m.who, "bob");
		reopen(p);
	}
	assert_int_equal(counter_of(p, "bob"), 1);
	assert_int_equal(counter_of(p, "alice"), 0);
	strcpy(code, code_at(p, "alice", 0));
	assert_int_equal(take(p, code, &m), CODES_GOOD);
	assert_string_equal(m.who, "alice");
}

static void
look_ahead_is_twenty(void **state)
{
	struct place *p = *state;
	struct codes_match m;

	make(p, "alice", false);
	assert_int_equal(take(p, code_at(p, "alice", 21), &m), CODES_WRONG);
	assert_string_equal(m.who, "");
	assert_int_equal(take(p, code_at(p, "alice", 20), &m), CODES_GOOD);
	assert_int_equal(m.ahead, 20);
	assert_int_equal(counter_of(p, "alice"), 21);
	/* What was passed over is spent. */
	for (unsigned i = 1; i <= 20; i++)
		assert_int_equal(take(p, code_at(p, "alice", i), NULL),
		    CODES_USED);
	assert_int_equal(take(p, code_at(p, "alice", 0), NULL), CODES_WRONG);
	assert_int_equal(take(p, code_at(p, "alice", 21), NULL), CODES_GOOD);
}

static void
nonsense_is_wrong(void **state)
{
	static const char *const texts[] = {
		"", "1234567", "123456789", "1234567a", " 2345678",
	};
	struct place *p = *state;

	assert_int_equal(take(p, "12345678", NULL), CODES_NONE);
	make(p, "alice", false);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(take(p, texts[i], NULL), CODES_WRONG);
	assert_int_equal(take(p, wrong_code(p), NULL), CODES_WRONG);
	assert_int_equal(counter_of(p, "alice"), 0);
}

static void
files_are_private(void **state)
{
	struct place *p = *state;
	char path[128], *before, *after;
	struct stat st;
	size_t n, n2;

	make(p, "alice", false);
	assert_int_equal(stat(codes_path(p->codes), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/codes/alice", p->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	before = file_read(path, 4096, &n);
	assert_int_equal(take(p, code_at(p, "alice", 3), NULL), CODES_GOOD);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	after = file_read(path, 4096, &n2);
	/* Its length never changes, its text does. */
	assert_int_equal(n, n2);
	assert_memory_not_equal(before, after, n);
	assert_true(n < 512);
	assert_non_null(strstr(after, "counter 00000000000000000004\n"));
	free(before);
	free(after);
}

/* Nothing that lies in the folder beside admins' files is an admin. */
static void
copies_are_nobodys(void **state)
{
	struct place *p = *state;
	char from[128], to[128], code[OTP_CODE], *text;
	size_t n;

	make(p, "alice", false);
	strcpy(code, code_at(p, "alice", 0));
	snprintf(from, sizeof(from), "%s/codes/alice", p->dir);
	snprintf(to, sizeof(to), "%s/codes/alice.old", p->dir);
	text = file_read(from, 4096, &n);
	assert_int_equal(file_replace(to, text, n, 0600), 0);
	snprintf(to, sizeof(to), "%s/codes/.next", p->dir);
	assert_int_equal(file_replace(to, text, n, 0600), 0);
	free(text);
	assert_int_equal(take(p, code, NULL), CODES_GOOD);
	assert_int_equal(take(p, code, NULL), CODES_USED);
}

static void
damaged_files_stop_one_admin(void **state)
{
	static const char *const bad[] = {
		"", "oobd-code 1\n", "nonsense", NULL,
	};
	struct place *p = *state;
	struct codes_record r;
	char path[128], code[OTP_CODE], *text;
	size_t n;

	make(p, "alice", false);
	make(p, "bob", false);
	strcpy(code, code_at(p, "alice", 0));
	snprintf(path, sizeof(path), "%s/codes/alice", p->dir);
	text = file_read(path, 4096, &n);
	for (size_t i = 0; bad[i] != NULL; i++) {
		assert_int_equal(file_replace(path, bad[i], strlen(bad[i]),
		    0600), 0);
		assert_int_equal(codes_get(p->codes, "alice", &r), -1);
		assert_int_equal(errno, EBADMSG);
		assert_int_equal(take(p, code, NULL), CODES_WRONG);
	}
	/* Cut anywhere, and a byte changed to what is never written there. */
	for (size_t i = 0; i < n; i++) {
		char *cut = malloc(n);

		memcpy(cut, text, n);
		assert_int_equal(file_replace(path, cut, i, 0600), 0);
		assert_int_equal(codes_get(p->codes, "alice", &r), -1);
		cut[i] = '!';
		assert_int_equal(file_replace(path, cut, n, 0600), 0);
		assert_int_equal(codes_get(p->codes, "alice", &r), -1);
		free(cut);
	}
	assert_int_equal(take(p, code_at(p, "bob", 0), NULL), CODES_GOOD);
	assert_int_equal(file_replace(path, text, n, 0600), 0);
	assert_int_equal(take(p, code, NULL), CODES_GOOD);
	free(text);
}

/* The same secret twice: a code of both is nobody's. */
static void
shared_codes_are_nobodys(void **state)
{
	struct place *p = *state;
	char from[128], to[128], *text, *name;
	size_t n;

	make(p, "alice", false);
	snprintf(from, sizeof(from), "%s/codes/alice", p->dir);
	snprintf(to, sizeof(to), "%s/codes/malic", p->dir);
	text = file_read(from, 4096, &n);
	name = strstr(text, "name alice");
	memcpy(name, "name malic", 10);
	assert_int_equal(file_replace(to, text, n, 0600), 0);
	free(text);
	assert_int_equal(take(p, code_at(p, "alice", 0), NULL), CODES_WRONG);
	assert_int_equal(counter_of(p, "alice"), 0);
	assert_int_equal(codes_remove(p->codes, "malic"), 0);
	assert_int_equal(take(p, code_at(p, "alice", 0), NULL), CODES_GOOD);
}

static void
narrow_keeps_the_owner_in(void **state)
{
	struct place *p = *state;

	make(p, "alice", false);
	/* The next ones work at once, as if nothing were. */
	assert_int_equal(take_narrow(p, code_at(p, "alice", 0)), CODES_GOOD);
	assert_int_equal(take_narrow(p, code_at(p, "alice", 3)), CODES_GOOD);
	/* Far ones need a second that follows. */
	assert_int_equal(take_narrow(p, code_at(p, "alice", 10)), CODES_FAR);
	assert_int_equal(counter_of(p, "alice"), 4);
	assert_int_equal(take_narrow(p, code_at(p, "alice", 10)), CODES_FAR);
	assert_int_equal(take_narrow(p, code_at(p, "alice", 16)), CODES_FAR);
	assert_int_equal(take_narrow(p, wrong_code(p)), CODES_WRONG);
	assert_int_equal(take_narrow(p, code_at(p, "alice", 15)), CODES_FAR);
	assert_int_equal(take_narrow(p, code_at(p, "alice", 16)), CODES_GOOD);
	assert_int_equal(counter_of(p, "alice"), 17);
	assert_int_equal(take_narrow(p, code_at(p, "alice", 16)), CODES_USED);
	/* What was awaited is not, once it came. */
	assert_int_equal(take_narrow(p, code_at(p, "alice", 20)), CODES_FAR);
	/* When nobody guesses, the look-ahead is whole again. */
	assert_int_equal(take(p, code_at(p, "alice", 37), NULL), CODES_GOOD);
}

static enum codes_verdict
take_at(struct place *p, int64_t at, struct otp_time t, bool totp,
    bool *untimed)
{
	char *code = code_at(p, "alice", (uint64_t)at / OTP_STEP);
	struct codes_query q = { .code = code, .time = t, .totp = totp };
	struct codes_match m;
	enum codes_verdict v = codes_take(p->codes, &q, &m);

	*untimed = m.untimed;
	return v;
}

static void
time_based_codes(void **state)
{
	struct otp_time good = { true, 1700000000, 0 }, bad = good;
	struct place *p = *state;
	int64_t t = good.now;
	bool untimed;

	make(p, "alice", true);
	assert_int_equal(take_at(p, t, good, false, &untimed), CODES_WRONG);
	assert_true(untimed);
	bad.trusted = false;
	assert_int_equal(take_at(p, t, bad, true, &untimed), CODES_WRONG);
	assert_true(untimed);
	assert_int_equal(take_at(p, t - 21 * 30, good, true, &untimed),
	    CODES_WRONG);
	assert_false(untimed);
	assert_int_equal(take_at(p, t + 3 * 30, good, true, &untimed),
	    CODES_WRONG);
	/* An SMS may take its time. */
	assert_int_equal(take_at(p, t - 20 * 30, good, true, &untimed),
	    CODES_GOOD);
	assert_int_equal(take_at(p, t - 20 * 30, good, true, &untimed),
	    CODES_USED);
	bad.smsc = t - 60;
	assert_int_equal(take_at(p, t, bad, true, &untimed), CODES_GOOD);
	assert_int_equal(take_at(p, t, bad, true, &untimed), CODES_USED);
	/* Not after a restart, and not when the clock is set back. */
	reopen(p);
	assert_int_equal(take_at(p, t, good, true, &untimed), CODES_USED);
	assert_int_equal(take_at(p, t - 30, good, true, &untimed), CODES_USED);
	good.now -= 300;
	assert_int_equal(take_at(p, t - 300, good, true, &untimed),
	    CODES_USED);
	good.now += 330;
	assert_int_equal(take_at(p, t + 30, good, true, &untimed), CODES_GOOD);
}

static void
look_spends_nothing(void **state)
{
	struct place *p = *state;
	struct codes_query q = { .code = NULL };
	struct codes_match m;
	char code[OTP_CODE];

	q.code = "12345678";
	assert_int_equal(codes_look(p->codes, "alice", &q, &m), CODES_NONE);
	make(p, "alice", false);
	assert_int_equal(codes_look(p->codes, "../alice", &q, &m), CODES_NONE);
	q.code = code;
	for (int i = 0; i < 3; i++) {
		strcpy(code, code_at(p, "alice", 150));
		assert_int_equal(codes_look(p->codes, "alice", &q, &m),
		    CODES_GOOD);
		assert_int_equal(m.ahead, 150);
	}
	strcpy(code, code_at(p, "alice", 5));
	assert_int_equal(take(p, code, NULL), CODES_GOOD);
	assert_int_equal(codes_look(p->codes, "alice", &q, &m), CODES_USED);
	assert_int_equal(m.counter, 5);
	q.code = "x";
	assert_int_equal(codes_look(p->codes, "alice", &q, &m), CODES_WRONG);
}

static enum codes_verdict
resync(struct place *p, uint64_t a, uint64_t b)
{
	struct codes_match m;
	char one[OTP_CODE], two[OTP_CODE];

	strcpy(one, code_at(p, "alice", a));
	strcpy(two, code_at(p, "alice", b));
	return codes_resync(p->codes, "alice", one, two, &m);
}

static void
resync_needs_two(void **state)
{
	struct place *p = *state;
	struct codes_match m;

	assert_int_equal(codes_resync(p->codes, "alice", "1", "2", &m),
	    CODES_NONE);
	make(p, "alice", false);
	assert_int_equal(resync(p, 100, 100), CODES_WRONG);
	assert_int_equal(resync(p, 100, 102), CODES_WRONG);
	assert_int_equal(resync(p, 101, 100), CODES_WRONG);
	assert_int_equal(resync(p, 201, 202), CODES_WRONG);
	assert_int_equal(counter_of(p, "alice"), 0);
	assert_int_equal(resync(p, 200, 201), CODES_GOOD);
	assert_int_equal(counter_of(p, "alice"), 202);
	/* Never back. */
	assert_int_equal(resync(p, 200, 201), CODES_USED);
	assert_int_equal(resync(p, 201, 202), CODES_USED);
	assert_int_equal(counter_of(p, "alice"), 202);
	assert_int_equal(codes_resync(p->codes, "alice", "1", "2", &m),
	    CODES_WRONG);
	make(p, "tom", true);
	assert_int_equal(codes_resync(p->codes, "tom", "12345678", "12345678",
	    &m), CODES_FAR);
}

static void
names_are_kept_apart(void **state)
{
	struct place *p = *state;
	struct codes_record r, r2;
	struct codes_names *names = calloc(1, sizeof(*names));
	char name[16];

	assert_int_equal(codes_list(p->codes, names), 0);
	assert_int_equal(names->n, 0);
	assert_int_equal(codes_new(p->codes, "../x", false, false, &r), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(codes_new(p->codes, ".next", false, false, &r), -1);
	assert_int_equal(codes_new(p->codes, "bob", false, false, &r), 0);
	assert_int_equal(codes_new(p->codes, "bob", false, false, &r2), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(codes_get(p->codes, "bob", &r2), 0);
	assert_memory_equal(r.secret.bytes, r2.secret.bytes, OTP_SECRET);
	assert_int_equal(codes_new(p->codes, "bob", true, true, &r2), 0);
	assert_memory_not_equal(r.secret.bytes, r2.secret.bytes, OTP_SECRET);
	for (int i = 1; i < CODES_MAX; i++) {
		snprintf(name, sizeof(name), "a%02d", i);
		make(p, name, false);
	}
	assert_int_equal(codes_new(p->codes, "zed", false, false, &r), -1);
	assert_int_equal(errno, E2BIG);
	assert_int_equal(codes_new(p->codes, "bob", false, true, &r), 0);
	assert_int_equal(codes_list(p->codes, names), 0);
	assert_int_equal(names->n, CODES_MAX);
	assert_string_equal(names->name[0], "a01");
	assert_string_equal(names->name[CODES_MAX - 1], "bob");
	assert_int_equal(codes_remove(p->codes, "bob"), 0);
	assert_int_equal(codes_remove(p->codes, "bob"), -1);
	assert_int_equal(errno, ENOENT);
	free(names);
}

/*
 * What cannot be replaced is written in place (a full disk, here a folder that
 * takes no new file); what cannot be written at all is not accepted.
 */
static void
unwritable(struct place *p, char code[OTP_CODE], char *next)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/codes/alice", p->dir);
	if (chmod(codes_path(p->codes), 0500) == -1 ||
	    take(p, code, NULL) != CODES_GOOD ||
	    take(p, code, NULL) != CODES_USED)
		_exit(1);
	if (chmod(path, 0400) == -1 || take(p, next, NULL) != CODES_FAILED)
		_exit(2);
	if (chmod(path, 0600) == -1 || take(p, next, NULL) != CODES_GOOD)
		_exit(3);
	chmod(codes_path(p->codes), 0700);
	_exit(0);
}

static void
disk_trouble(void **state)
{
	struct place *p = *state;
	char code[OTP_CODE], next[OTP_CODE], command[200];
	int status;
	pid_t pid;

	make(p, "alice", false);
	strcpy(code, code_at(p, "alice", 0));
	strcpy(next, code_at(p, "alice", 1));
	if (geteuid() == 0) {
		snprintf(command, sizeof(command), "chown -R %d:%d '%s'",
		    NOBODY, NOBODY, p->dir);
		assert_int_equal(system(command), 0);
	}
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) == -1 ||
		    setuid(NOBODY) == -1))
			_exit(9);
		unwritable(p, code, next);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Whoever holds the folder keeps us waiting, but not for long. */
static void
locked_folder(void **state)
{
	struct place *p = *state;
	struct codes_folder f;
	char code[OTP_CODE];
	int status;
	pid_t pid;

	make(p, "alice", false);
	strcpy(code, code_at(p, "alice", 0));
	assert_int_equal(codes_folder_open(&f, codes_path(p->codes), false),
	    0);
	assert_int_equal(take(p, code, NULL), CODES_FAILED);
	pid = fork();
	if (pid == 0) {
		codes_folder_close(&f);
		_exit(take(p, code, NULL));
	}
	usleep(300000);
	codes_folder_close(&f);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), CODES_GOOD);
	assert_int_equal(take(p, code, NULL), CODES_USED);
}

/* Many at once, as two daemons or a tool would: the code works for one. */
static void
racing_for_a_code(void **state)
{
	struct place *p = *state;
	char code[OTP_CODE];
	int good = 0, status;

	make(p, "alice", false);
	strcpy(code, code_at(p, "alice", 4));
	for (int i = 0; i < 8; i++) {
		if (fork() == 0)
			_exit(take(p, code, NULL));
	}
	for (int i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status));
		good += WEXITSTATUS(status) == CODES_GOOD;
		if (WEXITSTATUS(status) != CODES_GOOD)
			assert_int_equal(WEXITSTATUS(status), CODES_USED);
	}
	assert_int_equal(good, 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_code_works_once),
		T(look_ahead_is_twenty),
		T(nonsense_is_wrong),
		T(files_are_private),
		T(copies_are_nobodys),
		T(damaged_files_stop_one_admin),
		T(shared_codes_are_nobodys),
		T(narrow_keeps_the_owner_in),
		T(time_based_codes),
		T(look_spends_nothing),
		T(resync_needs_two),
		T(names_are_kept_apart),
		T(disk_trouble),
		T(locked_folder),
		T(racing_for_a_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
