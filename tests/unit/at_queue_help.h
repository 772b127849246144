/*
 * at_queue_help: a queue of AT commands, and everything that came out of it.
 */
#ifndef TESTS_AT_QUEUE_HELP_H
#define TESTS_AT_QUEUE_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modem/at_errors.h"
#include "modem/at_queue.h"

/* A queue, and everything that came out of it. */
struct box {
	struct at_queue *q;
	char out[8192];		/* written, since last looked */
	size_t nout;
	int64_t timer;		/* -1: none */
	bool slow, full;
	unsigned synced, silent, done, urcs;
	char log[8192];		/* of callbacks */
	enum at_result result;
	int code;
	bool written, body_written, cut;
	uint32_t cancel_other;
	unsigned left;
};

static inline int
op_write(void *arg, const void *p, size_t n)
{
	struct box *b = arg;

	if (b->full)
		return -1;
	assert_true(n < sizeof(b->out) - b->nout);
	memcpy(b->out + b->nout, p, n);
	b->nout += n;
	b->out[b->nout] = '\0';
	return 0;
}

static inline void
op_timer(void *arg, int64_t ms)
{
	((struct box *)arg)->timer = ms;
}

static inline void
op_slow(void *arg, bool slow)
{
	((struct box *)arg)->slow = slow;
}

static inline void
op_synced(void *arg)
{
	((struct box *)arg)->synced++;
}

static inline void
op_silent(void *arg, const char *why)
{
	assert_true(strlen(why) > 0);
	((struct box *)arg)->silent++;
}

static const struct at_queue_ops ops = { op_write, op_timer, op_slow,
    op_synced, op_silent };

static inline void
add(struct box *b, const char *text)
{
	strcat(b->log, text);
	strcat(b->log, "|");
}

static inline void
on_done(void *arg, const struct at_reply *r)
{
	struct box *b = arg;
	char text[64];

	snprintf(text, sizeof(text), "done %d", r->result);
	for (size_t i = 0; i < r->nlines; i++)
		add(b, r->lines[i]);
	add(b, text);
	b->done++;
	b->result = r->result;
	b->code = r->code;
	b->written = r->written;
	b->body_written = r->body_written;
	b->cut = r->cut;
}

static inline void
on_urc(void *arg, const char *line, const char *body)
{
	struct box *b = arg;

	b->urcs++;
	add(b, "urc");
	add(b, line);
	if (body != NULL)
		add(b, body);
}

static inline size_t
input(struct box *b, const char *text)
{
	return at_queue_input(b->q, (const uint8_t *)text, strlen(text));
}

/* What was written since, then forgotten. */
static inline const char *
wrote(struct box *b)
{
	static char copy[sizeof(b->out)];

	memcpy(copy, b->out, b->nout);
	copy[b->nout] = '\0';
	b->nout = 0;
	return copy;
}

static inline void
expire(struct box *b)
{
	assert_true(b->timer >= 0);
	b->timer = -1;
	at_queue_timeout(b->q);
}

/* Through the silence and the question of a resync. */
static inline void
pass_resync(struct box *b)
{
	assert_string_equal(wrote(b), "\033\r");
	expire(b);
	assert_string_equal(wrote(b), "AT+CMEE?\r");
	input(b, "\r\n+CMEE: 1\r\n\r\nOK\r\n");
}

static inline struct box
box_new(void)
{
	return (struct box){ .timer = -1 };
}

static inline void
open_queue(struct box *b)
{
	b->q = at_queue_new("test", &ops, b);
	at_queue_attach(b->q);
	pass_resync(b);
	assert_int_equal(b->synced, 1);
	assert_int_equal(b->timer, -1);
}

static inline uint32_t
send(struct box *b, const char *text, const char *prefix)
{
	return at_send(b->q, &(struct at_command){ .text = text,
	    .prefix = prefix }, on_done, b);
}

static const char pdu[] = "07916407058099F9040B916407950303F100";

static inline uint32_t
send_sms(struct box *b)
{
	return at_send(b->q, &(struct at_command){ .text = "AT+CMGS=17",
	    .prefix = "+CMGS:", .body = pdu, .timeout_ms = 60000 }, on_done, b);
}

#endif
