/*
 * relay_drill: log in to ourselves through a relay that is up, and have
 * something echoed, as a proof that an admin would get to the consoles.
 *
 * The key is made for this one drill and never leaves this process; its public
 * half is known to our own SSH server for as long as the drill lasts, good for
 * one login, through this relay, to one echo (ssh_conns_pass, ssh_echo.h).
 */
#ifndef SERVER_RELAY_DRILL_H
#define SERVER_RELAY_DRILL_H

#include "relay_internal.h"

#define RELAY_DRILL_MS 60000	/* GPRS is slow */

/*
 * Begin; ops.drilled says how it ended, once, from a run or where the relay's
 * connection ends.  NULL, or why that cannot be.  One at a time in all.
 */
const char *relay_drill_start(struct relay *);
/* Give up without a word. */
void relay_drill_stop(struct relay *);
/* The relay's connection ends: it has failed.  Nothing, where there is none. */
void relay_drill_lost(struct relay *);

/* As relay_probe. */
void relay_drill_run(struct relay *);
bool relay_drill_wants_out(const struct relay *);

#endif
