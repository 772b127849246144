/*
 * modem_drill: the drill (modem/drill.h): when it is its time or somebody asks
 * for it, over the link and through the relays that there are; what came of it
 * in the journals, in status and in state_dir; the verb "link drill".
 *
 * It never begins while the link is wanted by somebody; a slot of the schedule
 * waits then, as long as it is due.  It is refused, as any link is, when the
 * budget is used up.  Nobody is told of its link but by its own events.
 */
#ifndef SERVER_MODEM_DRILL_H
#define SERVER_MODEM_DRILL_H

#include <jansson.h>

#include "modem_drill_file.h"
#include "modem_internal.h"
#include "proto.h"

/* Who asked for its link, as linkstate says it; nobody else is called so. */
#define MODEM_DRILL_WHO "drill"

struct modem_drill;

struct modem_drill *modem_drill_new(struct modem *);	/* never NULL */
void modem_drill_free(struct modem_drill *);

/* m->conf is there, or another one; after the link was configured. */
void modem_drill_configure(struct modem_drill *);

/* The link, or a relay, is not as it was. */
void modem_drill_changed(struct modem_drill *);
/* Somebody else wants the link, or its end.  True: it was the drill's. */
bool modem_drill_taken(struct modem_drill *);
/* The link that there is, is the drill's alone. */
bool modem_drill_has_link(const struct modem_drill *);
/* What the ssh process says of login id. */
void modem_drill_logged_in(struct modem_drill *, uint32_t id, enum way_drill,
    uint64_t bytes, const char *text);

/* The verb: it answers through the feed, when the drill is over. */
void modem_drill_run(struct modem_drill *, const struct feed_task *,
    const char *who);
void modem_drill_task_gone(struct modem_drill *, uint32_t task);

/* modem_drill_text.c: one line for status, "" when there is nothing to say. */
#define MODEM_DRILL_TEXT 500
char *modem_drill_text(const struct modem_drill *,
    char dst[MODEM_DRILL_TEXT]);
/* The same for link status --json. */
json_t *modem_drill_json(const struct modem_drill *);

#endif
