/*
 * replay: the verb `replay`: what the device sent, at the pace it came.  With
 * a terminal, space pauses, + and - change the speed, q ends it; sequences
 * that could do more than draw are taken out unless --raw.
 */
#ifndef SERIAL_REPLAY_H
#define SERIAL_REPLAY_H

#include "view.h"

/* argv: "replay", the console, options. */
enum view_status replay_run(const struct view *, int argc,
    char *const argv[]);

#endif
