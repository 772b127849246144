/*
 * notify_queue: what is still to be told, and to which sinks.  It decides
 * what is told at all (a storm is one message and a count), what each sink
 * gets next and when, and what follows from how that went.  Pure: its owner
 * sends, reads the clock, and keeps the text of notify_queue_save in a file.
 *
 * Storms: the same event of the same source is told once in NOTIFY_AGAIN_MS
 * (longer, the longer it goes on); the rest is counted, and told as one
 * message with the newest text and their number when that time is over.  In
 * all at most NOTIFY_HOURLY messages an hour; then only their number.
 *
 * Memory: NOTIFY_MESSAGES_MAX messages of 1.2 KiB; beyond that the oldest of
 * the least severe is dropped.
 */
#ifndef SERVER_NOTIFY_QUEUE_H
#define SERVER_NOTIFY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define NOTIFY_MESSAGES_MAX 128
#define NOTIFY_SINKS_MAX 16
#define NOTIFY_NAME 48		/* source, event, sink; NUL included */
#define NOTIFY_TEXT 1024
#define NOTIFY_AGAIN_MS (10 * 60 * 1000)
#define NOTIFY_AGAIN_MAX_MS (2 * 60 * 60 * 1000)
#define NOTIFY_HOURLY 20
#define NOTIFY_HOUR_MS (60 * 60 * 1000)
#define NOTIFY_RETRY_MS 5000	/* never sooner after no answer, or 5xx */
#define NOTIFY_RETRY_MAX_MS (10 * 60 * 1000)
#define NOTIFY_LATER_MS (60 * 1000)	/* after 429 without Retry-After */
#define NOTIFY_LATER_MAX_MS (24 * 60 * 60 * 1000)
#define NOTIFY_REFUSED_MS (60 * 1000)	/* until the next one is tried */
#define NOTIFY_REFUSED_MAX_MS (60 * 60 * 1000)
#define NOTIFY_RESORT_MS (5 * 60 * 1000)	/* see last_resort */
#define NOTIFY_LIFE_MS (3LL * 24 * 60 * 60 * 1000)	/* then given up */

enum notify_severity {
	NOTIFY_INFO,
	NOTIFY_WARNING,
	NOTIFY_CRITICAL,
};

/* "info", "warning", "critical". */
const char *notify_severity_text(enum notify_severity);

/* How an attempt ended. */
enum notify_outcome {
	NOTIFY_SENT,
	NOTIFY_REFUSED,		/* 4xx: never the same again */
	NOTIFY_FAILED,		/* no answer, 5xx: again, not too soon */
	NOTIFY_LATER,		/* 429: again when it says */
};

/* What happened. */
struct notify_event {
	uint64_t id;		/* 0: none; one seen before is not told again */
	enum notify_severity severity;
	const char *source;	/* console, relay; "": the box */
	const char *event;	/* "line-lost" */
	const char *text;	/* cut to fit */
};

struct notify_message {
	uint64_t seq;		/* counts all that were ever to be told */
	int64_t utc_us;		/* when it happened, by the box's clock */
	enum notify_severity severity;
	char source[NOTIFY_NAME], event[NOTIFY_NAME];
	char text[NOTIFY_TEXT];
};

struct notify_queue_sink {
	const char *name;
	/*
	 * It costs money: gets only what no other sink could be told within
	 * NOTIFY_RESORT_MS.  When all sinks are such, at once.
	 */
	bool last_resort;
};

enum notify_taken {
	NOTIFY_TAKEN,		/* it is to be told */
	NOTIFY_COUNTED,		/* only counted */
	NOTIFY_KNOWN,		/* that id was here before */
};

struct notify_queue;

struct notify_queue *notify_queue_new(void);
void notify_queue_free(struct notify_queue *);	/* NULL is fine */

/*
 * The sinks there are from now on, at most NOTIFY_SINKS_MAX; names are
 * copied.  What is owed to others is forgotten.  Sinks are numbered in this
 * order from 0.
 */
void notify_queue_set_sinks(struct notify_queue *,
    const struct notify_queue_sink *, size_t n, struct mono now);

enum notify_taken notify_queue_add(struct notify_queue *,
    const struct notify_event *, struct stamp now);

/*
 * What this sink is to be told now; valid until the next call that is not
 * const.  NULL: nothing; *wait_ms until there may be something, -1: not before
 * something changes.
 */
const struct notify_message *notify_queue_next(const struct notify_queue *,
    size_t sink, struct mono now, int64_t *wait_ms);

/* How telling seq to the sink went; retry_ms: of NOTIFY_LATER, -1: unknown. */
void notify_queue_result(struct notify_queue *, size_t sink, uint64_t seq,
    enum notify_outcome, int64_t retry_ms, struct mono now);

/* There is another way out: sinks that wait for an answer may try again. */
void notify_queue_kick(struct notify_queue *, struct mono now);

/*
 * Time passes: summaries come due, old messages are given up.  Returns the
 * milliseconds after which to call again, -1: not before something is added.
 * *changed is set when something did.
 */
int64_t notify_queue_tick(struct notify_queue *, struct stamp now,
    bool *changed);

size_t notify_queue_owed(const struct notify_queue *, size_t sink);
size_t notify_queue_count(const struct notify_queue *);
/* Messages dropped or given up untold since this process started. */
uint64_t notify_queue_lost(const struct notify_queue *);

/*
 * As text, and back into a fresh queue whose sinks were set.  save: the
 * caller frees.  load: 0, or -1 when it is not such text (the queue is empty
 * then).  Clocks may have moved in between: no wait gets longer than it was
 * at its start, and no sink is tried sooner than in NOTIFY_RETRY_MS.
 */
char *notify_queue_save(const struct notify_queue *, struct stamp now);
int notify_queue_load(struct notify_queue *, const char *text, size_t n,
    struct stamp now);

#endif
