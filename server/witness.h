/*
 * witness: the console process's memory of what happened on its consoles.  It
 * has the lookout watch them for alerts, says what that saw (journal, those
 * attached, status, notify), remembers who was there and when lines were lost
 * (chronicle.h), and how far each user has seen each console (bookmarks.h).
 *
 * STATE_DIR/witness/bookmarks and .../CONSOLE.chronicle hold it through a
 * restart; they are written within WITNESS_SAVE_MS of a change, by a thread.
 */
#ifndef SERVER_WITNESS_H
#define SERVER_WITNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "console_internal.h"

#define WITNESS_SAVE_MS 1000
#define WITNESS_MARK_MS (5 * 60 * 1000)	/* how far it is, saved so often */

struct witness;

/* The configuration is there.  NULL with errno: nothing is watched. */
struct witness *witness_new(struct console *);
/* Have everything written, soon. */
void witness_save(struct witness *);
/* At most deadline_ms.  False: something hangs, nothing was freed. */
bool witness_stop(struct witness *, int64_t deadline_ms);

/* Of each wire.  A NULL witness is fine everywhere below. */
void witness_open(struct witness *, struct wire *);
void witness_close(struct witness *, struct wire *);
void witness_configure(struct witness *, struct wire *);
void witness_data(struct wire *);
void witness_typed(struct wire *);
void witness_changed(struct witness *, struct wire *);	/* up or down, perhaps */
void witness_attached(struct witness *, struct wire *, const char *user,
    const char *from);

/*
 * He has seen the console up to there; what happened in the last silent_ms
 * he has not.  cut: he did not leave, he was cut off.
 */
void witness_seen(struct witness *, struct wire *, const char *user,
    uint64_t offset, int64_t silent_ms, bool cut);
/* The digest was shown to him. */
void witness_told(struct witness *, struct wire *, const char *user);

/*
 * What happened since: text for people (DIGEST_TEXT), or an object.  text: ""
 * and object: NULL when he never was there; *news: there is any.
 */
char *witness_digest(struct witness *, struct wire *, const char *user,
    char *dst, bool *news);
json_t *witness_digest_json(struct witness *, struct wire *,
    const char *user);

/* For status. */
json_t *witness_json(struct wire *);
void witness_status(const struct answer *, struct wire *);

#endif
