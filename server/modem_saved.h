/*
 * modem_saved: what of the link and of the uplink's watch outlives this
 * process: small files in state_dir.  Their times are monotonic, and count
 * only within the boot that they were written in; after a reboot of the box
 * the link is idle, and the watch begins anew.
 */
#ifndef SERVER_MODEM_SAVED_H
#define SERVER_MODEM_SAVED_H

#include "../modem/linkstate.h"

/*
 * Replace state_dir/link by this, or remove it (s NULL).  Failures are logged.
 */
void modem_saved_write(const char *state_dir,
    const struct linkstate_saved *s);

/* False: there is none, or none of this boot, or it makes no sense. */
bool modem_saved_read(const char *state_dir, struct linkstate_saved *s);

/*
 * The same of state_dir/uplink: it was found dead then, which was told (NULL:
 * it is not).  words: what is watched, a line; other words are another watch.
 */
void modem_saved_dead(const char *state_dir, const struct mono *since,
    const char *words);
bool modem_saved_was_dead(const char *state_dir, struct mono *since,
    const char *words);

#endif
