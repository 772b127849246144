/*
 * answer: the verbs that the console process carries out itself, and the
 * hand-over of those that a reader does.  verbs.h has their names and rights.
 */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "client.h"

/* Carry out argv; answers through answer_out and answer_end, now or later. */
void answer_run(const struct answer *);

/* BREAK on the guest's own console; ms 0: as configured.  Tells the guest. */
void answer_break(struct guest *, int64_t ms);

/* A note into the journal, shown to everyone attached. */
void answer_note(struct console *, struct wire *, const char *user,
    const char *text);

#endif
