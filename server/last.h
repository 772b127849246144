/*
 * last: who logged in and who was refused, from the box's journal.  A reader
 * (serial/view.h): `last .box [-n N] [--since T] [--json]`, newest first.
 *
 * Memory: LAST_MAX rows of 0.7 KiB.
 */
#ifndef SERVER_LAST_H
#define SERVER_LAST_H

#include "../serial/view.h"

#define LAST_MAX 10000
#define LAST_ROWS 50		/* when -n does not say */

enum view_status last_run(const struct view *, int argc, char *const argv[]);

#endif
