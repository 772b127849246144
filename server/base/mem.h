/*
 * mem: allocation that aborts in one place.  For control-plane objects whose
 * number is bounded by configuration; data-plane buffers have their own bound.
 * Nothing here returns NULL.  The caller owns what is returned: free(3).
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

void *xmalloc(size_t);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *, size_t n, size_t size);
char *xstrdup(const char *);
char *xstrndup(const char *, size_t);
char *xasprintf(const char *, ...) __attribute__((format(printf, 1, 2)));

char *xvasprintf(const char *, va_list) __attribute__((format(printf, 1, 0)));

/*
 * For a process that has to outlive a shortage: n bytes are kept aside, and
 * given up, with a word in the log, before any of the above ends it.
 */
void mem_keep_reserve(size_t n);
/* Is it whole?  One that was given up is taken back if that is possible. */
bool mem_has_reserve(void);
/* Could n bytes be had now?  For work with what cannot bear to be refused. */
bool mem_has_room(size_t n);

/* For memory that was asked for elsewhere and not given. */
_Noreturn void mem_failed(void);

/* Wipe n bytes so that the compiler cannot drop it, then free.  NULL is fine. */
void freezero(void *, size_t n);

#endif
