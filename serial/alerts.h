/*
 * alerts: watches what one console prints, by rules: lines that match,
 * reboots and panics by what systems print then, silence, the first output
 * after silence, the line itself.  Pure; it knows no clock but the stamps it
 * is given, which may be old ones.
 *
 * Lines are matched without their terminal sequences, complete or, like a
 * prompt, when nothing has come for ALERTS_QUIET_MS; one longer than
 * ALERTS_LINE bytes counts as several.  Each rule is raised once in a line.
 *
 * De-bounce: what matches within settle_ms of the last match is the same
 * thing going on (told again after ALERTS_AGAIN_MS).  Rate limit: hourly.
 * What is not raised is counted, and told with what is raised next.
 *
 * Memory: per console 3 KiB, ALERTS_OPEN reports of ALERTS_CONTEXT bytes, and
 * the compiled patterns.
 */
#ifndef SERIAL_ALERTS_H
#define SERIAL_ALERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/clock.h"

#define ALERTS_MAX 66		/* rules of a console */
#define ALERTS_NAME 33
#define ALERTS_LINE 1024
#define ALERTS_QUIET_MS 500
#define ALERTS_TEXT 256		/* of the line that is shown, NUL included */
#define ALERTS_LINES 5		/* context before and after, at most */
#define ALERTS_CONTEXT 896	/* bytes of a report, NUL included */
#define ALERTS_OPEN 8
#define ALERTS_AFTER_MS 2000	/* that long lines after it are waited for */
#define ALERTS_AGAIN_MS (60 * 60 * 1000)
#define ALERTS_TYPED_MS 3000	/* after typing, a kernel's banner is dmesg's */

enum alert_on {
	ALERT_MATCH,
	ALERT_REBOOT,
	ALERT_PANIC,
	ALERT_SILENCE,
	ALERT_OUTPUT,		/* the first after a silence */
	ALERT_LINE,		/* the line is lost */
};

struct alert_rule {
	const char *name;
	enum alert_on on;
	unsigned severity;	/* the owner's, passed through */
	const char *match;	/* ERE, pattern_check'ed; may be NULL where
				   there are omens */
	bool omens;		/* REBOOT, PANIC: those of omens.h, too */
	bool ignore_case;
	bool crash;		/* passed through */
	int64_t quiet_ms;	/* SILENCE, OUTPUT */
	int64_t settle_ms;	/* LINE: lost for so long */
	unsigned hourly;	/* 0: no limit */
	unsigned before, after;	/* lines of context */
};

/* What happened; valid during the call. */
struct alert_hit {
	const struct alert_rule *rule;
	struct stamp when;
	uint64_t offset;	/* of the line's first byte, or the place */
	const char *text;	/* the line, or in words; valid UTF-8, no
				   controls but TAB */
	uint64_t more;		/* that were not raised since the last time */
	bool over;		/* output again, the line is back */
};

struct alerts_ops {
	/* At once. */
	void (*raised)(void *arg, const struct alert_hit *);
	/* To be told to people, once: text has its context, lines by LF. */
	void (*report)(void *arg, const struct alert_hit *);
};

struct alerts;

/* Rules are copied. */
struct alerts *alerts_new(const struct alert_rule *, size_t n,
    const struct alerts_ops *, void *arg);
void alerts_free(struct alerts *);	/* NULL is fine */

/* Other rules; what is known of one with the same name and kind is kept. */
void alerts_set_rules(struct alerts *, const struct alert_rule *, size_t n);

/*
 * It begins: what came last came then.  A silence that was due a minute
 * before now was told by whoever watched before.
 */
void alerts_begin(struct alerts *, struct stamp last, struct stamp now);

/* n bytes at this offset, in order; when they came. */
void alerts_data(struct alerts *, struct stamp, uint64_t offset, const void *,
    size_t n);
/* Bytes are missing before this offset. */
void alerts_skip(struct alerts *, uint64_t offset);
/* The line was lost, or is back. */
void alerts_line(struct alerts *, struct stamp, uint64_t offset, bool up);
/* Somebody typed; may come late. */
void alerts_typed(struct alerts *, struct mono);
/* Time passes.  When to be called again, mono us; INT64_MAX: never. */
int64_t alerts_tick(struct alerts *, struct stamp now, uint64_t offset);

uint64_t alerts_lines(const struct alerts *);	/* complete ones, in all */

const char *alert_on_text(enum alert_on);

#endif
