/* What modem_drill.c and modem_drill_text.c share; nobody else. */
#ifndef SERVER_MODEM_DRILL_INTERNAL_H
#define SERVER_MODEM_DRILL_INTERNAL_H

#include "../modem/schedule.h"
#include "modem_drill.h"
#include "modem_why.h"

#define DRILL_WATCHERS 8	/* verbs that wait for its end */

struct modem_drill {
	struct modem *m;
	struct drill *drill;
	struct timer *clock;		/* is it time? */
	bool ready;			/* the file was read */
	struct modem_drill_record record;
	int slot;			/* being used; 0: by hand */
	bool began;			/* one of the schedule did, ... */
	struct mono began_at;		/* ... in this process */
	int waits;			/* slot that waits for the link */
	uint32_t login;			/* the last one asked for */
	uint64_t bytes;			/* over the relay's connection */
	enum way way;			/* that it logged in by */
	char failure[DRILL_WHY];	/* see drill_view */
	uint32_t watchers[DRILL_WATCHERS];
	size_t nwatchers;
};

/* The schedule of the configuration. */
struct schedule modem_drill_schedule(const struct modem_drill *);
struct schedule_now modem_drill_now(void);

/* "over PPP, took 41 s, 12 kB". */
#define MODEM_DRILL_COST 80
char *modem_drill_cost(const struct modem_drill_run *,
    char dst[MODEM_DRILL_COST]);

#endif
