/*
 * alloc.so: the Nth allocation of a process fails, once.  Loaded with
 * LD_PRELOAD (Linux, glibc; stands before a sanitizer's allocator, too).
 *
 * A unit test (tests/unit/sweep.h) calls alloc_fail and alloc_failed itself.
 * Elsewhere the file OOBD_ALLOC tells, which may be changed at any time and is
 * shared by all processes:
 *
 *	uint32_t role	first letter of the role whose allocations count
 *			("s": ssh, "S": the supervisor), 0: nobody's
 *	int32_t at	so many more succeed, then one fails; -1: none
 *	uint32_t failed	how many did
 *	int32_t pid	whose the last one was
 *
 * What an object asks for whose name begins as OOBD_ALLOC_NOT says, such as
 * "libconfuse", does not count.  OOBD_ALLOC_TRACE: says on stderr who asked for
 * the one that failed.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RANGES 32

struct order {
	_Atomic uint32_t role;
	_Atomic int32_t at;
	_Atomic uint32_t failed;
	_Atomic int32_t pid;
};

void alloc_fail(int at);
unsigned alloc_failed(void);

static struct order own = { .at = -1 };
static struct order *order = &own;
static uint32_t role;
static struct {
	uintptr_t from, to;
} ranges[RANGES];
static unsigned nranges;
static bool tracing;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void *(*real_aligned)(size_t, size_t);
static int (*real_posix)(void **, size_t, size_t);
static void (*real_free)(void *);

/* What dlsym(3) itself asks for, before we know the real ones. */
static char early[8192];
static size_t early_used;

static void
find(void *at, const char *name)
{
	void *sym = dlsym(RTLD_NEXT, name);

	memcpy(at, &sym, sizeof(sym));
}

static void
find_all(void)
{
	static bool busy;

	if (busy)
		return;
	busy = true;
	find(&real_free, "free");
	find(&real_calloc, "calloc");
	find(&real_realloc, "realloc");
	find(&real_aligned, "aligned_alloc");
	find(&real_posix, "posix_memalign");
	find(&real_malloc, "malloc");
	busy = false;
}

static void *
early_alloc(size_t n)
{
	size_t at = (early_used + 15) & ~(size_t)15;

	if (n > sizeof(early) - at)
		abort();
	early_used = at + n;
	return early + at;
}

static bool
is_early(const void *p)
{
	return (const char *)p >= early &&
	    (const char *)p < early + sizeof(early);
}

static int
on_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = strrchr(info->dlpi_name, '/');

	(void)size;
	if (name == NULL || strncmp(name + 1, arg, strlen(arg)) != 0)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0 ||
		    nranges == RANGES)
			continue;
		ranges[nranges].from = info->dlpi_addr + p->p_vaddr;
		ranges[nranges].to = ranges[nranges].from + p->p_memsz;
		nranges++;
	}
	return 0;
}

/* oobd -R ROLE */
static uint32_t
read_role(void)
{
	char args[256];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, args, sizeof(args));
	const char *name;

	if (fd != -1)
		close(fd);
	if (n < 4)
		return 0;
	args[n - 1] = '\0';
	name = strrchr(args, '/');
	if (strcmp(name == NULL ? args : name + 1, "oobd") != 0)
		return 0;
	name = args + strlen(args) + 1;
	if (name < args + n && strcmp(name, "-R") == 0)
		return (uint8_t)name[3];
	return 'S';
}

static void
trace(void)
{
	void *frames[32];

	backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("OOBD_ALLOC");
	const char *not = getenv("OOBD_ALLOC_NOT");
	int fd;
	void *p;

	if (not != NULL)
		dl_iterate_phdr(on_object, (void *)(uintptr_t)not);
	role = read_role();
	tracing = getenv("OOBD_ALLOC_TRACE") != NULL;
	if (tracing)
		trace();	/* it allocates the first time */
	fd = path == NULL || role == 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return;
	p = mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (p != MAP_FAILED)
		order = p;
	close(fd);
}

static bool
counts(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;

	for (unsigned i = 0; i < nranges; i++) {
		if (at >= ranges[i].from && at < ranges[i].to)
			return false;
	}
	return true;
}

static bool
fails(const void *caller)
{
	int32_t at = order->at;

	if (at < 0 || order->role != role || !counts(caller))
		return false;
	while (!__atomic_compare_exchange_n((int32_t *)&order->at, &at,
	    at - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (at < 0)
			return false;
	}
	if (at > 0)
		return false;
	order->pid = (int32_t)getpid();
	order->failed++;
	if (tracing)
		trace();
	errno = ENOMEM;
	return true;
}

void
alloc_fail(int at)
{
	order = &own;
	own.role = role;
	own.failed = 0;
	own.at = at;
}

unsigned
alloc_failed(void)
{
	own.at = -1;
	return own.failed;
}

#define CALLER __builtin_return_address(0)

void *
malloc(size_t n)
{
	if (real_malloc == NULL)
		find_all();
	if (real_malloc == NULL)
		return early_alloc(n);
	return fails(CALLER) ? NULL : real_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	if (real_malloc == NULL)
		find_all();
	if (real_malloc == NULL)
		return early_alloc(n * size);	/* zeros as yet */
	return fails(CALLER) ? NULL : real_calloc(n, size);
}

static void *
resize(void *p, size_t n)
{
	void *copy;

	if (!is_early(p))
		return real_realloc(p, n);
	copy = real_malloc(n);
	if (copy != NULL)
		memcpy(copy, p, n < (size_t)(early + sizeof(early) -
		    (char *)p) ? n : (size_t)(early + sizeof(early) -
		    (char *)p));
	return copy;
}

void *
realloc(void *p, size_t n)
{
	if (real_malloc == NULL)
		find_all();
	return fails(CALLER) ? NULL : resize(p, n);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	return fails(CALLER) ? NULL : resize(p, n * size);
}

void *
aligned_alloc(size_t align, size_t n)
{
	if (real_malloc == NULL)
		find_all();
	return fails(CALLER) ? NULL : real_aligned(align, n);
}

int
posix_memalign(void **p, size_t align, size_t n)
{
	if (real_malloc == NULL)
		find_all();
	return fails(CALLER) ? ENOMEM : real_posix(p, align, n);
}

void
free(void *p)
{
	if (p != NULL && !is_early(p) && real_free != NULL)
		real_free(p);
}

/* libc's own would be seen as calls from libc. */

char *
strndup(const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *copy = fails(CALLER) ? NULL : real_malloc(n + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *
strdup(const char *s)
{
	size_t n = strlen(s);
	char *copy;

	if (real_malloc == NULL)
		find_all();
	copy = fails(CALLER) ? NULL : real_malloc(n + 1);
	return copy == NULL ? NULL : memcpy(copy, s, n + 1);
}

int
vasprintf(char **dst, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	*dst = n < 0 || fails(CALLER) ? NULL : real_malloc((size_t)n + 1);
	if (*dst == NULL)
		return -1;
	return vsnprintf(*dst, (size_t)n + 1, fmt, ap);
}
