/*
 * console_seal: the newest seal of the box's journal: had signed, shown, and
 * told to those who tell people.
 */
#ifndef SERVER_CONSOLE_SEAL_H
#define SERVER_CONSOLE_SEAL_H

#include <stdbool.h>
#include <stddef.h>

struct console;
struct sealer;

#define SEAL_TEXT 40		/* "2741:1f0c9a5511d2e6b0" */

/* After the scribe was started. */
struct sealer *sealer_new(struct console *);
void sealer_free(struct sealer *);	/* NULL is fine */

/* The answer of the signer's process comes on fd, which is taken over; -1: it
   could not be started. */
void sealer_answer(struct sealer *, int fd);

/* NUMBER:HASH, 16 digits of it.  False: there is none yet, dst is "". */
bool sealer_text(struct console *, char dst[SEAL_TEXT]);

#endif
