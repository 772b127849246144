/*
 * missed: who was cut off from which console, and up to which byte he had
 * seen it, so that he can be told what he missed when he comes back.  Pure.
 *
 * Memory: MISSED_MAX entries of about 100 bytes; the oldest makes room.
 */
#ifndef SERVER_MISSED_H
#define SERVER_MISSED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct missed;

#define MISSED_MAX 256
#define MISSED_MS (30 * 60 * 1000)	/* later nobody is told */

/* Never NULL. */
struct missed *missed_new(void);
void missed_free(struct missed *);	/* NULL is fine */

/*
 * A session of this user ended without his doing; he had seen the console up
 * to this offset.  When two do so, the one that had seen less counts.
 */
void missed_note(struct missed *, const char *user, const char *console,
    uint64_t at, struct stamp now);

/*
 * He is back: true, with where he was and when (UTC microseconds), which is
 * then forgotten.
 */
bool missed_take(struct missed *, const char *user, const char *console,
    struct mono now, uint64_t *at, int64_t *utc_us);

#endif
