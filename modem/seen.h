/*
 * seen: fingerprints of the messages that have been dealt with, kept through
 * restarts, so that none acts twice however often it is delivered and however
 * long a store refuses to delete it.
 *
 * At most SEEN_MAX, the least recently met forgotten first: one that is met
 * at every poll stays.
 *
 * The file: "oobd-sms-seen 1" and one fingerprint in hexadecimal a line, the
 * oldest first.  A change of the format takes another number; a file with
 * another one, or a broken line, is told about and what can be read is kept.
 */
#ifndef MODEM_SEEN_H
#define MODEM_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEEN_MAX 1024		/* above what the stores of a modem hold */
#define SEEN_KEY 16

struct seen;

/*
 * Read path, which need not exist; NULL: in memory only.  Never NULL; what is
 * wrong with the file is logged.
 */
struct seen *seen_open(const char *path);
void seen_free(struct seen *);		/* NULL is fine; nothing is written */

/* Meet one: true if it was known.  It is the most recent now. */
bool seen_meet(struct seen *, const uint8_t key[SEEN_KEY]);

/*
 * Write what came in since the last time, atomically and synced.  0, also
 * when there is nothing to write; -1 with errno, and it can be tried again.
 */
int seen_save(struct seen *);

size_t seen_count(const struct seen *);

#endif
