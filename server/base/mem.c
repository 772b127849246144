#include <sys/mman.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"

static struct {
	void *block;		/* NULL: there is none, or it was given up */
	size_t size;
} reserve;

void
mem_failed(void)
{
	log_error("out of memory");
	abort();
}

/* Try again?  If not, p is what there is. */
static bool
again(const void *p)
{
	if (p != NULL)
		return false;
	if (reserve.block == NULL)
		mem_failed();
	log_error("memory is short: the reserve of %zu bytes is given up",
	    reserve.size);
	free(reserve.block);
	reserve.block = NULL;
	return true;
}

void *
xmalloc(size_t n)
{
	void *p;

	do
		p = malloc(n == 0 ? 1 : n);
	while (again(p));
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	void *p;

	do
		p = calloc(n == 0 ? 1 : n, size == 0 ? 1 : size);
	while (again(p));
	return p;
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	void *other;

	if (size != 0 && n > SIZE_MAX / size)
		mem_failed();
	do
		other = realloc(p, n * size == 0 ? 1 : n * size);
	while (again(other));
	return other;
}

char *
xstrdup(const char *s)
{
	char *p;

	do
		p = strdup(s);
	while (again(p));
	return p;
}

char *
xstrndup(const char *s, size_t n)
{
	char *p;

	do
		p = strndup(s, n);
	while (again(p));
	return p;
}

char *
xvasprintf(const char *fmt, va_list ap)
{
	va_list copy;
	char *s;

	do {
		va_copy(copy, ap);
		if (vasprintf(&s, fmt, copy) == -1)
			s = NULL;
		va_end(copy);
	} while (again(s));
	return s;
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

/* Memory that nobody wrote to is only a promise. */
static bool
take_reserve(void)
{
	reserve.block = malloc(reserve.size);
	if (reserve.block == NULL)
		return false;
	memset(reserve.block, 1, reserve.size);
	return true;
}

void
mem_keep_reserve(size_t n)
{
	reserve.size = n;
	if (!take_reserve())
		mem_failed();
}

bool
mem_has_reserve(void)
{
	if (reserve.block != NULL)
		return true;
	if (!take_reserve())
		return false;
	log_info("memory is there again: the reserve is whole");
	return true;
}

/*
 * Not from malloc: once glibc's has freed a block of that size it keeps as
 * much for itself, and gives nothing back to the system until it has twice
 * that.
 */
bool
mem_has_room(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, n);
	return true;
}

void
freezero(void *p, size_t n)
{
	if (p == NULL)
		return;
	explicit_bzero(p, n);
	free(p);
}
