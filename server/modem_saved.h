/*
 * modem_saved: what of the link outlives this process: a small file in
 * state_dir.  Its times are monotonic, and count only within the boot that
 * they were written in; after a reboot of the box the link is idle.
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

#endif
