/*
 * replay_find: places in time to go to: events, and lines with a text.
 */
#ifndef SERIAL_REPLAY_FIND_H
#define SERIAL_REPLAY_FIND_H

#include <stdbool.h>
#include <stdint.h>

/* Where to look. */
struct replay_find {
	const char *log_dir, *console;
	int64_t since, until;
	bool (*go_on)(void *arg);	/* false: give up */
	void *arg;
};

/* The first event after `at`, or the last one before it.  0 or -1: none. */
int replay_find_event(const struct replay_find *, int64_t at, bool back,
    int64_t *found);

/*
 * The first line after `at` that matches the extended expression, or the last
 * one before it; *found is when its last byte came.  0; -1: none; -2: the
 * expression is wrong, *why (of 128 bytes) says how.
 */
int replay_find_line(const struct replay_find *, int64_t at, bool back,
    const char *ere, int64_t *found, char why[128]);

/*
 * Spans before a time, each longer than the last: *span is 0 at first.  False:
 * everything from since on was looked at.
 */
bool replay_find_span(const struct replay_find *, int64_t at, int64_t *span,
    int64_t *from);

#endif
