/*
 * at_pending: one command in an at_queue, from at_send to its end: what it
 * expects, and the information gathered for it.  Pure; of at_queue only.
 */
#ifndef MODEM_AT_PENDING_H
#define MODEM_AT_PENDING_H

#include "at_lex.h"
#include "at_queue.h"

struct at_pending {
	uint32_t id;
	char *text, *prefix, *body;
	at_mine_fn *mine;
	int64_t timeout_ms, prompt_ms;
	unsigned flags;
	at_done_fn *done;	/* NULL: told, or nobody cares */
	void *arg;
	char **lines;
	size_t nlines, bytes;
	bool cut, written, body_written;
	bool cancelled;
	bool own;		/* a line of its own came: hex lines follow */
};

/* May this be sent?  What would break out of its line may not. */
bool at_pending_may(const struct at_command *);

/* A copy; never NULL.  Freeing wipes: there may be a PIN in it. */
struct at_pending *at_pending_new(const struct at_command *, uint32_t id,
    at_done_fn *, void *arg);
void at_pending_free(struct at_pending *);	/* NULL is fine */

/* Is this line its echo; information for it; perhaps information for it? */
bool at_pending_is_echo(const struct at_pending *, const char *line);
bool at_pending_is_own(const struct at_pending *, const struct at_token *);
bool at_pending_is_any(const struct at_pending *, const char *line);

/* Keep a line of information, within AT_REPLY_MAX. */
void at_pending_gather(struct at_pending *, const char *line);

/* Tell the caller, once. */
void at_pending_conclude(struct at_pending *, enum at_result, int code,
    const char *text);

/* Does line begin with prefix?  Case does not matter. */
bool at_has_prefix(const char *line, const char *prefix);
/* Pairs of hexadecimal digits, nothing else? */
bool at_is_hex(const char *);

#endif
