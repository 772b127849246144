/*
 * task: the verbs that a peer (the ssh or the modem process) runs for somebody
 * else's client, from AN_TASK to RQ_DONE.  At most TASKS_MAX at a time in all.
 * A task ends with its asker, its peer, or its answer.
 *
 * Nothing is held here for an asker that does not take its answer: what does
 * not fit into the queue of its link (see client.c), less TASK_ROOM, is cut,
 * and the verb ends with ST_FAILED.
 */
#ifndef SERVER_TASK_H
#define SERVER_TASK_H

#include "client.h"

#define TASK_ROOM 8192

/* Give argv to the peer; answers now when it is not there. */
void task_start(const struct answer *, enum peer);

/* Requests RQ_TOLD and RQ_DONE; 0, or -1 when the frame is wrong. */
int task_told(struct client *peer, struct frame *);
int task_done(struct client *peer, struct frame *);

/* The asker wants no answer any more. */
void task_cancel(struct client *asker, uint32_t request);
/* A client's link is down: of whoever asks, or is asked, there. */
void tasks_client_gone(struct client *);

#endif
