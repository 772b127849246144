/*
 * clock: two kinds of time that cannot be mixed up, because each is a struct.
 * mono: monotonic, for every deadline.  stamp: what the journal writes, the
 * UTC wall clock and the monotonic clock read together.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mono {
	int64_t us;		/* microseconds, CLOCK_MONOTONIC */
};

struct stamp {
	int64_t utc_us;		/* microseconds since the epoch, UTC */
	struct mono mono;
};

struct mono mono_now(void);
struct mono mono_after(struct mono, int64_t ms);
/* Milliseconds from a to b, negative when b is earlier. */
int64_t mono_ms(struct mono a, struct mono b);
int64_t mono_us(struct mono a, struct mono b);

struct stamp stamp_now(void);

/*
 * Write "2026-11-22T09:41:03.123456Z" and NUL; STAMP_TEXT bytes are enough.
 * Returns dst.
 */
#define STAMP_TEXT 32
char *stamp_text(char dst[STAMP_TEXT], int64_t utc_us);

/* Is it a time of the years 1970 to 9999, as nothing else can be meant? */
bool stamp_is_sane(int64_t utc_us);

/*
 * The reverse, strict: exactly 27 bytes of s.  Returns 0, or -1 when s is not
 * such a time.
 */
int stamp_parse(const char *s, size_t n, int64_t *utc_us);

/*
 * Back-off: doubles from min to max.  backoff_next returns the wait in
 * milliseconds and moves on; jitter is full (uniform in [wait/2, wait]) where
 * asked for.  backoff_reset starts over.
 */
struct backoff {
	int64_t min_ms, max_ms, now_ms;
	bool jitter;
};
int64_t backoff_next(struct backoff *);
void backoff_reset(struct backoff *);

#endif
