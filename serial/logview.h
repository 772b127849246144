/*
 * logview: the verb `log`.  Options in docs/oobctl.1, the JSON form in
 * docs/journal.md.
 */
#ifndef SERIAL_LOGVIEW_H
#define SERIAL_LOGVIEW_H

#include "view.h"

/* argv: "log", the console, options.  Returns when done or nobody looks. */
enum view_status logview_run(const struct view *, int argc,
    char *const argv[]);

#endif
