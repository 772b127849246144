/*
 * client_auth: every event of authentication, and what else concerns the box
 * and no console, goes from here into the box's journal (scribe_box.h), as
 * much as authlog.h lets through.  docs/journal.md lists the events.
 */
#ifndef SERVER_CLIENT_AUTH_H
#define SERVER_CLIENT_AUTH_H

#include "console_internal.h"

/* The scribe is there; its end is near; the console process ends. */
void auth_start(struct console *);
void auth_stop(struct console *);
void auth_free(struct console *);

/* A word and key=value text (values through str_safe); key as authlog.h. */
void auth_event(struct console *, const char *key, const char *text);

#endif
