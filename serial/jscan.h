/*
 * jscan: finds lines in one console's journal by their text.  It looks at the
 * files as they are, many times as fast as they can be decoded, and decodes
 * what may be meant.  What jread leaves out (previews that were replaced, what
 * a later segment records again) is left out here, too; events are.
 *
 * Memory is constant: a window that goes over the text once.
 */
#ifndef SERIAL_JSCAN_H
#define SERIAL_JSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "needle.h"
#include "record.h"

#define JSCAN_BACK 131072	/* bytes before a line that are still there */

struct jscan;

/*
 * Lines with a byte between these times, both included (INT64_MIN and
 * INT64_MAX: no bound).  NULL with errno; ENOENT: no journal of that console.
 */
struct jscan *jscan_open(const char *log_dir, const char *console,
    int64_t since_us, int64_t until_us);
void jscan_close(struct jscan *);	/* NULL is fine */

/* Ask for lines before others, too (else most of them are not kept). */
void jscan_keep_back(struct jscan *);

/*
 * Called now and then during a long search; false ends it, as if there were
 * nothing more.
 */
void jscan_on_pause(struct jscan *, bool (*go_on)(void *arg), void *arg);

/*
 * The next line, a record of the device's bytes; with a needle (count > 0)
 * the next one whose text, without terminal sequences, may have it: those
 * that need decoding to tell are given, too.  1, 0 at the end, -1 with errno.
 * The record is valid until the next call.
 */
int jscan_next(struct jscan *, const struct needle *, struct record *);

/* Lines up to the one given last were shown: no context any more. */
void jscan_mark(struct jscan *);

/*
 * Look for the up to n lines before the one given last, but behind the mark,
 * and not more than JSCAN_BACK bytes away.  True: they adjoin the mark.  Needs
 * jscan_keep_back.
 */
bool jscan_look_back(struct jscan *, size_t n);

/* Those lines, first to last. */
void jscan_before(struct jscan *, void (*on_line)(void *arg,
    const struct record *), void *arg);

/* Lines that are no records, as far as they were looked at. */
uint64_t jscan_damaged(const struct jscan *);

#endif
