/* What wire.c and wire_out.c share; nobody else. */
#ifndef SERVER_WIRE_INTERNAL_H
#define SERVER_WIRE_INTERNAL_H

#include "../serial/parmrk.h"
#include "wire.h"

enum gather {
	GATHER_QUIET,		/* waiting for the first byte */
	GATHER_STREAM,		/* read at each tick */
	GATHER_FLOOD,		/* faster than any line: read as it comes */
	GATHER_HELD,		/* a flood held back */
};

/* Notes in the history (history_note): how to take what lands next. */
#define NOTE_PLAIN 0
#define NOTE_MARKED 1		/* as PARMRK gives it, plus parmrk.seen */

struct wires {
	struct loop *loop;
	struct scribe *scribe;
	const struct wires_ops *ops;
	void *arg;
	struct hub_ops hub_ops;
	struct wire *list[WIRES_MAX];
	size_t count;
	uint16_t next_id;
	struct timer *tick;		/* one for all streams */
};

struct wire {
	struct wires *all;
	uint16_t id;
	const struct config_console *conf;
	struct line line;		/* in force: configured, or by set */
	struct history *history;
	struct scribe_log *log;
	struct hub *hub;
	struct place *place;

	int fd;				/* -1: down */
	int kind;			/* enum port_kind */
	struct watch *watch;
	char path[256], usb[128], problem[256];
	struct parmrk parmrk;
	struct icount icount, icount_start;
	bool has_icount, icount_due;
	struct timer *second;		/* counters: at most once a second */

	enum gather gather;
	struct mono due;		/* when a stream is read again */
	int64_t level;			/* bytes lately, decaying */
	struct mono level_at;
	size_t window;			/* bytes of a flood's present tick */
	struct mono window_at;

	struct mono opened_at, last_at;
	int64_t last_utc_us;
	uint64_t received, sent, breaks, losses;
	uint64_t marked_errors, told_errors, told_breaks;

	struct timer *settle;		/* flapping: told when this is over */
	unsigned flaps;			/* losses since the last notice */
	bool told_up;			/* the state everyone was told */

	struct source *sources;
	struct source *turn;		/* whose bytes leave next */
	struct timer *out;		/* the device takes no more just now */
	struct timer *brk;		/* end of a BREAK */
	bool breaking;
};

/* wire_out.c: what waits for the device. */
void wire_out_run(struct wire *);
void wire_out_on_timer(void *wire);
void wire_out_refuse(struct wire *);		/* line down: drop it */
void wire_out_echo(struct wire *, const uint8_t *, size_t);
void wire_out_on_break_over(void *wire);
void wire_out_stop(struct wire *);		/* forget every source */

#endif
