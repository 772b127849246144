/*
 * notify_sinks: what each type of sink makes of a message, and of an answer.
 * Reads the files with secrets, each time anew; else no I/O.
 */
#ifndef SERVER_NOTIFY_SINKS_H
#define SERVER_NOTIFY_SINKS_H

#include "config.h"
#include "notify_queue.h"
#include "notify_send.h"

#define NOTIFY_SECRET_MAX 256	/* bytes of the first line of such a file */

enum notify_carrier {
	NOTIFY_BY_HTTP,
	NOTIFY_BY_EXEC,
	NOTIFY_BY_SMS,
};

/* "pushover", "ntfy", ... */
const char *notify_sink_type(enum notify_type);
enum notify_carrier notify_sink_carrier(enum notify_type);

/* What one attempt came to; why is for people and holds no secret. */
struct notify_result {
	enum notify_outcome outcome;
	int64_t retry_ms;	/* of NOTIFY_LATER; -1: not said */
	char why[NOTIFY_WHY];
};

/*
 * Make the request that tells this; *r is empty before, and is to be sent or
 * wiped.  utc_us: now.  0, or -1 with *result saying why not.
 */
int notify_sink_request(const struct config_notify *, const char *box,
    const struct notify_message *, int64_t utc_us, struct notify_request *r,
    struct notify_result *result);

/* What that answer means. */
void notify_sink_judge(enum notify_type, const struct notify_answer *,
    struct notify_result *);

/* What the exit status of a program means; why: as notify_exec says it. */
void notify_sink_judge_exit(int status, const char *why,
    struct notify_result *);

/* "home-oob: text", for an SMS or a program's input.  The caller frees. */
char *notify_sink_text(const char *box, const struct notify_message *);

/* The environment of a program; the caller frees each and the list. */
char **notify_sink_environment(const struct config_notify *, const char *box,
    const struct notify_message *);

#endif
