/*
 * mem: allocation that aborts in one place.  For control-plane objects whose
 * number is bounded by configuration; data-plane buffers have their own bound.
 * Nothing here returns NULL.  The caller owns what is returned: free(3).
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *, size_t n, size_t size);
char *xstrdup(const char *);
char *xstrndup(const char *, size_t);
char *xasprintf(const char *, ...) __attribute__((format(printf, 1, 2)));

/* Wipe n bytes so that the compiler cannot drop it, then free.  NULL is fine. */
void freezero(void *, size_t n);

#endif
