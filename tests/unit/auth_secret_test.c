#include <sys/resource.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/secret.h"
#include "server/base/log.h"

#define NOBODY 65534

static void
test_holds_what_is_put_in(void **state)
{
	static const char zeros[300];
	char *p = secret_new(sizeof(zeros)), *q = secret_text("7351");

	(void)state;
	assert_memory_equal(p, zeros, sizeof(zeros));
	memset(p, 'x', sizeof(zeros));
	assert_string_equal(q, "7351");
	secret_free(p);
	secret_free(q);
	secret_free(NULL);
	assert_null(secret_text(NULL));
}

/* The signal that a child ended by as it did this, or 0. */
static int
signal_of(void (*what)(volatile char *), volatile char *p)
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		/* A sanitizer would tell of it instead. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		what(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
write_past(volatile char *p)
{
	p[16] = 'x';
}

static void
read_freed(volatile char *p)
{
	secret_free((void *)(uintptr_t)p);
	(void)p[0];
}

/* Neither what comes behind it nor what was freed can be had. */
static void
test_between_guards(void **state)
{
	char *p = secret_new(16);

	(void)state;
	assert_int_not_equal(signal_of(write_past, p), 0);
	assert_int_not_equal(signal_of(read_freed, p), 0);
	secret_free(p);
}

#ifdef __linux__
/* The flags of the pages at p, as smaps has them. */
static void
flags_of(const void *p, char *dst, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool ours = false;
	char line[512];

	dst[0] = '\0';
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			ours = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (ours && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(dst, size, "%s", line + 8);
	}
	fclose(f);
}

static void
test_locked_and_not_dumped(void **state)
{
	char *p = secret_new(64), flags[512];

	(void)state;
	flags_of(p, flags, sizeof(flags));
	assert_non_null(strstr(flags, " dd"));
#ifndef __SANITIZE_ADDRESS__	/* which makes nothing of mlock(2) */
	assert_non_null(strstr(flags, " lo"));
#endif
	secret_free(p);
}

#ifndef __SANITIZE_ADDRESS__
/* Where nothing can be locked: told, and all the same. */
static void
test_no_memory_to_lock(void **state)
{
	struct rlimit none = { 0, 0 };
	char text[512] = "";
	int out[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		char *p;

		dup2(out[1], STDERR_FILENO);
		setrlimit(RLIMIT_MEMLOCK, &none);
		if (geteuid() == 0 && setuid(NOBODY) == -1)
			_exit(3);
		log_open(NULL, LOG_TO_STDERR, false);
		secret_check();
		p = secret_text("kept");
		status = strcmp(p, "kept") == 0 ? 0 : 4;
		secret_free(p);
		_exit(status);
	}
	close(out[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "RLIMIT_MEMLOCK"));
	close(out[0]);
}
#endif
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds_what_is_put_in),
		cmocka_unit_test(test_between_guards),
#ifdef __linux__
		cmocka_unit_test(test_locked_and_not_dumped),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_no_memory_to_lock),
#endif
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
