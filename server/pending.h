/*
 * pending: what oobctl changed while no daemon ran, for the box's journal at
 * the next start.  STATE_DIR/witness/pending, a line each, 0600; at most
 * PENDING_MAX bytes, what comes then is logged and dropped.
 */
#ifndef SERVER_PENDING_H
#define SERVER_PENDING_H

#define PENDING_MAX 16384
#define PENDING_LINE 512

/* text: an event's, without newline.  0, or -1 with errno. */
int pending_add(const char *state_dir, const char *text);
/* Call fn with each line, then there are none. */
void pending_take(const char *state_dir, void (*fn)(void *arg,
    const char *text), void *arg);

#endif
