/*
 * modem_drill_file: how the drills went, in a small file in state_dir that
 * outlives processes and boots: the slot of the schedule used last, the last
 * drill, and the last good one.
 */
#ifndef SERVER_MODEM_DRILL_FILE_H
#define SERVER_MODEM_DRILL_FILE_H

#include "../modem/drill.h"

#define MODEM_DRILL_WAY 16

struct modem_drill_run {
	int64_t at;			/* it began, seconds UTC; 0: none */
	int64_t ms;
	uint64_t bytes;			/* both ways together */
	char way[MODEM_DRILL_WAY];	/* "ppp", "existing", "none" */
	char why[DRILL_WHY];
};

struct modem_drill_record {
	int slot;			/* 20261122; 0: none yet */
	bool running;			/* last.at is set, the rest not yet */
	enum drill_how how;		/* of the last */
	struct modem_drill_run last, good;
};

/* What is not there, or not fit to be read (which is logged), is all zero. */
void modem_drill_read(const char *state_dir, struct modem_drill_record *);
/* Replaces it; a failure is logged.  0, or -1. */
int modem_drill_write(const char *state_dir,
    const struct modem_drill_record *);

#endif
