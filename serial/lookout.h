/*
 * lookout: the thread that watches what consoles print, for alerts, and
 * writes crash bundles.  It reads the shared histories at its own pace, so
 * that neither a slow pattern nor a slow disk ever delays a line, a viewer or
 * the journal; when it falls so far behind that a history laps it, it skips
 * to what is there and counts what it has not seen.
 */
#ifndef SERIAL_LOOKOUT_H
#define SERIAL_LOOKOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/loop.h"
#include "alerts.h"
#include "crash.h"
#include "history.h"

#define LOOKOUT_QUEUE 64	/* sightings of a console not yet taken */

struct lookout;
struct look;			/* one console's */

enum sight {
	SIGHT_RAISED,		/* at once */
	SIGHT_REPORT,		/* to be told: the text has its context */
	SIGHT_CRASH,		/* a crash bundle has ended */
};

/* What it saw, or wrote; valid during the call. */
struct sighting {
	enum sight sight;
	/* Of an alert. */
	char name[ALERTS_NAME];
	enum alert_on on;
	unsigned severity;
	struct stamp when;
	uint64_t offset, more;
	bool over;
	char text[ALERTS_CONTEXT];
	uint64_t lines;		/* complete ones before it */
	/* Of a bundle. */
	struct crash_info crash;
};

struct look_conf {
	const struct alert_rule *rules;
	size_t nrules;
	unsigned crashes;	/* kept; 0: none are made */
	int64_t crash_quiet_ms;
};

struct look_state {
	uint64_t offset;	/* looked at so far */
	uint64_t lines;		/* complete ones up to there */
	uint64_t told;		/* the same, but what the loop knows of: */
	uint64_t told_lines;	/* a successor goes on from here */
	uint64_t skipped;	/* bytes never looked at */
	uint64_t dropped;	/* sightings for which there was no room */
};

/*
 * Start the thread.  sighted comes from the loop; arg is that of look_open.
 * NULL with errno.
 */
struct lookout *lookout_start(struct loop *, const char *log_dir,
    const char *box, void (*sighted)(void *arg, const struct sighting *));
/* At most deadline_ms.  False: it hangs; nothing it uses may be freed. */
bool lookout_stop(struct lookout *, int64_t deadline_ms);

/*
 * Watch this console from an offset on (or from what its history still has).
 */
struct look_place {
	const char *console;
	const struct history *history;
	uint64_t from;
	uint64_t lines;		/* before that */
};
struct look *look_open(struct lookout *, const struct look_place *,
    const struct look_conf *, void *arg);
/* The history may be unmapped then.  Sightings not yet taken are dropped. */
void look_close(struct look *);
void look_configure(struct look *, const struct look_conf *);

/* New bytes are in the history (cheap; wakes the thread only if needed). */
void look_poke(struct look *);
void look_typed(struct look *);
void look_line(struct look *, bool up);

void look_state(struct look *, struct look_state *);
/* The crash bundles there are.  The caller frees. */
struct crash_info *look_crashes(struct look *, size_t *n);

#endif
