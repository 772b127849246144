/*
 * export: the verb `export`: a span of the record in a form that other
 * people's tools play.  What would do more to a terminal than draw is taken
 * out, unless --raw.  Options in docs/oobctl.1.
 */
#ifndef SERIAL_EXPORT_H
#define SERIAL_EXPORT_H

#include "view.h"

/* argv: "export", the console, options. */
enum view_status export_run(const struct view *, int argc,
    char *const argv[]);

#endif
