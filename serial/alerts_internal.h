/*
 * alerts_internal: what alerts.c (rules, lines, silence) and alerts_report.c
 * (an alert with the lines around it) share.
 */
#ifndef SERIAL_ALERTS_INTERNAL_H
#define SERIAL_ALERTS_INTERNAL_H

#include "alerts.h"
#include "omens.h"
#include "pattern.h"
#include "strip.h"

struct rule {
	struct alert_rule conf;	/* its strings are those below */
	char name[ALERTS_NAME];
	char *match;
	struct pattern *pattern;
	bool in_line;		/* raised, or counted, in this line already */
	/* De-bounce and rate. */
	bool matched;		/* ever; then the times are valid */
	struct mono last, raised, hour;
	unsigned in_hour;
	uint64_t more;
	/* Silence and the line. */
	bool open;		/* it is silent, or lost */
	bool told;		/* and that was told */
	bool waits;		/* OUTPUT: for the end of the line */
	int64_t silent_ms;
};

/* An alert that waits for the lines after it. */
struct report {
	struct rule *rule;	/* NULL: free */
	struct stamp when;
	uint64_t offset, more;
	unsigned left;		/* lines to come */
	int64_t due;		/* mono us: then it is told without them */
	char text[ALERTS_CONTEXT];
};

struct alerts {
	const struct alerts_ops *ops;
	void *arg;
	struct rule *rules;
	size_t nrules;
	struct pattern *omens[OMENS];
	/* The line that is coming. */
	uint8_t raw[ALERTS_LINE];
	size_t nraw;
	uint64_t line_at;
	struct stamp line_when;
	bool looked;		/* as a prompt */
	char text[STRIP_ROOM(ALERTS_LINE)];
	size_t ntext;
	uint64_t lines;
	/* Lines before it, the newest last. */
	char before[ALERTS_LINES][ALERTS_TEXT];
	size_t nbefore;
	struct report reports[ALERTS_OPEN];
	struct stamp last;	/* output */
	bool up;
	struct stamp down;
	bool has_typed;
	struct mono typed;
};

/* As much of src as fits, not cutting a character; its length. */
size_t alerts_cut(char *dst, size_t size, const char *src);

/* Tell it with its context, now or when that has come. */
void alerts_report(struct alerts *, struct rule *, const struct alert_hit *);
/* The line in a->text belongs to what waits; and to what may come. */
void alerts_context(struct alerts *);
void alerts_remember(struct alerts *);
/* Tell what is due.  When more is, INT64_MAX: nothing waits. */
int64_t alerts_report_due(struct alerts *, struct mono now);
void alerts_report_all(struct alerts *);

#endif
