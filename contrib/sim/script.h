/*
 * script: text the simulated box prints by itself, with its pauses, and the
 * player that puts it on the wire as fast as that takes it.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include <stdbool.h>

#include "wire.h"

struct script_line {
	unsigned pause_ms;	/* before the text */
	const char *text;	/* "\n" is sent as CR LF; NULL: the end */
};

extern const struct script_line script_boot[];
extern const struct script_line script_shutdown[];
extern const struct script_line script_panic[];
/* Single lines that the kernel prints when it likes. */
extern const struct script_line script_kernel[];

/* Put text on the wire, "\n" as CR LF. */
void script_say(struct wire *, const char *text);

struct player;

/* ended is called once a script is through, from the loop. */
struct player *player_new(struct loop *, struct wire *, bool pauses,
    void (*ended)(void *arg), void *arg);
void player_free(struct player *);

/* Start (in place of what is playing), or stop with NULL. */
void player_start(struct player *, const struct script_line *);
/* The wire has room. */
void player_more(struct player *);

#endif
