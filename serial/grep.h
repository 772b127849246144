/*
 * grep: the verb `grep`: lines of the record that match an extended regular
 * expression, with terminal sequences removed.  Options in docs/oobctl.1.
 */
#ifndef SERIAL_GREP_H
#define SERIAL_GREP_H

#include "view.h"

/*
 * argv: "grep", the consoles with commas between, the expression, options.
 * VIEW_FAILED when nothing matched.
 */
enum view_status grep_run(const struct view *, int argc, char *const argv[]);

#endif
