/*
 * crash_view: shows a crash bundle: `export CONSOLE --crash ID [--raw]`.  ID
 * is a number, or "last".  Without --raw the device's lines are made safe for
 * a terminal; with it the file comes as it is.
 */
#ifndef SERIAL_CRASH_VIEW_H
#define SERIAL_CRASH_VIEW_H

#include <stdbool.h>

#include "view.h"

/* Do these words of `export` ask for a crash bundle? */
bool crash_view_is_meant(int argc, char *const argv[]);
enum view_status crash_view_run(const struct view *, int argc,
    char *const argv[]);

#endif
