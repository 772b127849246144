/*
 * told: what the verbs of a peer (feed.h) answer alike.  Each returns the
 * status to end with, an enum status.
 */
#ifndef SERVER_TOLD_H
#define SERVER_TOLD_H

#include <jansson.h>

#include "feed.h"

/* How the verb of the task is used; always ST_USAGE. */
int told_usage(struct feed *, const struct feed_task *);

/* A value, which is freed.  ST_OK; ST_FAILED: there is no memory, NULL, too. */
int told_json(struct feed *, uint32_t task, json_t *);

#endif
