/*
 * viewout: what a journal's reader shows, gathered into larger pieces.
 */
#ifndef SERIAL_VIEWOUT_H
#define SERIAL_VIEWOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "record.h"
#include "view.h"

#define VIEWOUT_BYTES 65536

/* The first two may be set and looked at by its owner. */
struct viewout {
	const struct view *view;
	bool gone;		/* nobody reads any more; all else is ignored */
	size_t n;
	char bytes[VIEWOUT_BYTES];
};

void viewout_put(struct viewout *, const void *, size_t n);
void viewout_string(struct viewout *, const char *);
void viewout_newline(struct viewout *);
/* "2026-11-22T09:41:03.123Z " */
void viewout_time(struct viewout *, int64_t utc_us);
void viewout_flush(struct viewout *);

/*
 * A record as an object on a line of its own, as docs/journal.md has it.
 * object may have members already, and is taken.  space is room for the text:
 * STRIP_ROOM(RECORD_BYTES).
 */
void viewout_json(struct viewout *, const struct record *, char *space,
    json_t *object);

#endif
