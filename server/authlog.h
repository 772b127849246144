/*
 * authlog: how much of what happens at the door is written down.  Pure.
 *
 * Who comes in and what admins change is written at once, as long as there are
 * no more than AUTHLOG_ADMIT_BURST and then one every AUTHLOG_ADMIT_MS.  Of
 * those turned away the first of a kind is written at once and the others
 * within AUTHLOG_SAME_MS counted; and no more than AUTHLOG_REFUSE_BURST and one
 * every AUTHLOG_REFUSE_MS.  What is beyond that is counted by its key and
 * written with authlog_flush, as " count=N" behind the text of the newest; of
 * more than AUTHLOG_ROWS kinds at a time only the sum is left.
 *
 * So a storm writes some 3 MiB a day, and never more than 10.  Memory: twice
 * AUTHLOG_ROWS of 1.5 KiB.
 */
#ifndef SERVER_AUTHLOG_H
#define SERVER_AUTHLOG_H

#include <stdbool.h>

#include "base/clock.h"

#define AUTHLOG_TEXT 1024
#define AUTHLOG_KEY 400
#define AUTHLOG_ROWS 32
#define AUTHLOG_ADMIT_BURST 120
#define AUTHLOG_ADMIT_MS (10 * 1000)
#define AUTHLOG_REFUSE_BURST 40
#define AUTHLOG_REFUSE_MS (30 * 1000)
#define AUTHLOG_SAME_MS (60 * 1000)

struct authlog;

/* Text for the journal, with its word in front; never back into here. */
typedef void authlog_fn(void *arg, const char *text);

struct authlog *authlog_new(authlog_fn *write, void *arg, struct mono now);
void authlog_free(struct authlog *);		/* NULL is fine */

/*
 * key: what is the same as before.  Both are cut to AUTHLOG_KEY and
 * AUTHLOG_TEXT.
 */
void authlog_admit(struct authlog *, const char *key, const char *text,
    struct mono now);
void authlog_refuse(struct authlog *, const char *key, const char *text,
    struct mono now);

/*
 * Write what was counted, as far as it may be by now: once per
 * AUTHLOG_SAME_MS.  last: all of it, for there will be no other time.
 */
void authlog_flush(struct authlog *, struct mono now, bool last);

#endif
