/*
 * control: a Unix socket that takes one command per line and answers each
 * with one line.  For tests and for people with socat.
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <stddef.h>

#include "../../server/base/loop.h"

struct control;

#define CONTROL_REPLY 65536	/* most bytes of an answer, NUL included */

/*
 * A line without its newline came; write the answer (no newline) into reply.
 */
typedef void control_fn(void *arg, char *line, char *reply, size_t size);

/* Listen at path, in place of a dead socket there.  NULL after a message. */
struct control *control_new(struct loop *, const char *path, control_fn *,
    void *arg);
/* Removes the socket, too.  NULL is fine. */
void control_free(struct control *);

#endif
