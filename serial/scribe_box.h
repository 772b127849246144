/*
 * scribe_box: the journal of the box itself, .box, which has an event for the
 * newest seal of every console's journal, for every segment that was removed
 * and for every signature; and so is the chain over all of them.  What
 * concerns no console stands there, too: who logged in, and who did not.
 */
#ifndef SERIAL_SCRIBE_BOX_H
#define SERIAL_SCRIBE_BOX_H

#include "scribe_internal.h"

/* Its log, and the thread that looks after closed segments.  0, or -1. */
int scribe_box_start(struct scribe *);
/* Before the scribe's thread is asked to end.  False: it hangs. */
bool scribe_box_stop_tidy(struct scribe *, int64_t deadline_ms);

/* The thread: a run of l is over, or a sync of it up to this seal. */
void scribe_box_synced(struct scribe_log *, const struct seal_mark *);
/* The thread, at its end: what waits for the box's journal, with the syncer;
   and after that the last seals of all, and one over them. */
void scribe_box_drain(struct scribe *);
void scribe_box_finish(struct scribe *);

#endif
