/*
 * secret: memory for PINs, passwords and seeds for as long as we keep them.
 * It lies between guard pages, is locked so that it is never swapped out,
 * left out of core dumps, and wiped when it is freed (sodium_malloc(3)).
 * Where the system locks no more (RLIMIT_MEMLOCK) it is all of that but
 * locked.
 *
 * Each takes four pages, one of them locked: for few and small ones.  Never
 * NULL; aborts when there is no memory.
 */
#ifndef AUTH_SECRET_H
#define AUTH_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* n bytes of zeros. */
void *secret_new(size_t n);
/* A copy of a text; NULL of NULL. */
char *secret_text(const char *);
void secret_free(void *);	/* NULL is fine */

/*
 * Log a warning, with what to do, when this process can lock no memory.  To
 * be called once by one that will hold secrets.
 */
void secret_check(void);

#endif
