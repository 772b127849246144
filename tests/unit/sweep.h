/*
 * sweep: a piece of work is done again and again, and in the nth round its nth
 * allocation fails (tests/shim/alloc.c), until one round has no failure left.
 * Each round is a process of its own in a folder of its own; it has to end
 * well, or with an error, or as mem.c ends one; without a leak if it does not
 * end at once.  Then `check`, which knows what that process had been promised,
 * looks at what is on the disk.
 */
#ifndef TESTS_SWEEP_H
#define TESTS_SWEEP_H

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <dlfcn.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "server/base/log.h"

#define SWEEP_MAX 20000
#define SWEEP_ALL 20		/* so many are tried one by one ... */
#define SWEEP_STEP 11		/* ... then in such steps, with a sanitizer and
				   without OOBD_SWEEP */
#define SWEEP_LIMIT 60		/* s a round */

/* Nobody cuts the power here; thousands of rounds need not wait for a disk. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

int
fdatasync(int fd)
{
	(void)fd;
	return 0;
}

struct sweep_place {
	struct scratch s;
	/* Shared with the round's process. */
	volatile struct sweep_note {
		uint64_t safe;	/* so much was reported as kept */
		uint64_t more[8];
	} *note;
	struct sweep_note whole;	/* of a round without a failure */
	int at;
};

struct sweep {
	void (*make)(struct sweep_place *);	/* may be NULL */
	int (*run)(struct sweep_place *);	/* 0, or -1: an error */
	void (*check)(struct sweep_place *);	/* may be NULL */
};

enum sweep_end {
	SWEEP_DONE,		/* nothing failed, and all is well */
	SWEEP_WELL = 50,	/* one failed, and yet */
	SWEEP_ERROR,
	SWEEP_WRONG,		/* an error though nothing failed */
	SWEEP_LEAK,
	SWEEP_LOST,		/* an assertion in the round itself */
};

static void (*sweep_arm)(int);
static unsigned (*sweep_failed)(void);

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* What the C library loses when it has no memory to compile an expression. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:regcomp\nleak:parse_expression\nleak:re_node_set\n";
}

/* Call first in main: begins anew with the shim, if there is one. */
static inline void
sweep_load(char *argv[])
{
	static char entry[] = "alloc.so";
	char path[PATH_MAX];
	const char *slash = strrchr(argv[0], '/');
	void *sym = dlsym(RTLD_DEFAULT, "alloc_fail");

	memcpy(&sweep_arm, &sym, sizeof(sym));
	sym = dlsym(RTLD_DEFAULT, "alloc_failed");
	memcpy(&sweep_failed, &sym, sizeof(sym));
	if (sweep_arm != NULL || getenv("LD_PRELOAD") != NULL)
		return;
	snprintf(path, sizeof(path), "%.*s%s", slash == NULL ? 0 :
	    (int)(slash - argv[0]) + 1, argv[0], entry);
	if (access(path, R_OK) == -1)
		return;
	setenv("LD_PRELOAD", path, 1);
	/* It does not look; whoever reloads makes sure of room before. */
	setenv("OOBD_ALLOC_NOT", "libconfuse", 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	execv(argv[0], argv);
}

static inline void __attribute__((noreturn))
sweep_round(const struct sweep *w, struct sweep_place *p, int err)
{
	unsigned failed;
	int r;

	dup2(err, STDERR_FILENO);
	alarm(SWEEP_LIMIT);
	sweep_arm(p->at);
	r = w->run(p);
	failed = sweep_failed();
	if (__lsan_do_recoverable_leak_check != NULL &&
	    __lsan_do_recoverable_leak_check() != 0)
		_exit(SWEEP_LEAK);
	if (failed == 0)
		_exit(r == 0 ? SWEEP_DONE : SWEEP_WRONG);
	_exit(r == 0 ? SWEEP_WELL : SWEEP_ERROR);
}

/* How a round ended; what it said goes to text. */
static inline int
sweep_once(const struct sweep *w, struct sweep_place *p, char *text,
    size_t size)
{
	FILE *err = tmpfile();
	int status;
	pid_t pid;
	size_t n;

	assert_non_null(err);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0)
		sweep_round(w, p, fileno(err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rewind(err);
	n = fread(text, 1, size - 1, err);
	text[n] = '\0';
	fclose(err);
	return status;
}

static inline bool
sweep_may_end_so(int status, const char *text)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGABRT &&
		    strstr(text, "out of memory") != NULL;
	return WEXITSTATUS(status) == SWEEP_WELL ||
	    WEXITSTATUS(status) == SWEEP_ERROR ||
	    WEXITSTATUS(status) == SWEEP_DONE;
}

/* In memory where that is possible. */
static inline void
sweep_folder(struct scratch *s)
{
	snprintf(s->dir, sizeof(s->dir), "/dev/shm/oobd-memory-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		scratch_make(s);
}

static inline int
sweep_try(const struct sweep *w, struct sweep_place *p)
{
	static char text[65536];
	int status;

	memset((void *)(uintptr_t)p->note, 0, sizeof(*p->note));
	sweep_folder(&p->s);
	if (w->make != NULL)
		w->make(p);
	status = sweep_once(w, p, text, sizeof(text));
	if (getenv("OOBD_ALLOC_TRACE") != NULL)
		fprintf(stderr, "allocation %d: status %#x\n%s", p->at, status,
		    text);
	if (!sweep_may_end_so(status, text))
		fail_msg("allocation %d: status %#x\n%s", p->at, status, text);
	if (w->check != NULL && p->at >= 0)
		w->check(p);
	scratch_drop(&p->s);
	return status;
}

static inline void
sweep(const struct sweep *w)
{
	static pid_t home;
	/* A sanitizer makes a round fifty times as long. */
	const int step = __lsan_do_recoverable_leak_check == NULL ||
	    getenv("OOBD_SWEEP") != NULL ? 1 : SWEEP_STEP;
	struct sweep_place p;
	int status;

	if (home != 0 && getpid() != home)
		_exit(SWEEP_LOST);	/* a round's assertion led here */
	home = getpid();
	if (sweep_arm == NULL)
		skip();
	p.note = mmap(NULL, sizeof(*p.note), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANON, -1, 0);
	assert_ptr_not_equal(p.note, MAP_FAILED);
	p.at = -1;
	assert_int_equal(sweep_try(w, &p), SWEEP_DONE);
	p.whole = *p.note;
	for (;;) {
		p.at += p.at < SWEEP_ALL ? 1 : step;
		status = sweep_try(w, &p);
		if (status == SWEEP_DONE || p.at >= SWEEP_MAX)
			break;
	}
	munmap((void *)(uintptr_t)p.note, sizeof(*p.note));
	print_message("%d allocations\n", p.at);
	assert_in_range(p.at, 1, SWEEP_MAX - 1);
}

#endif
