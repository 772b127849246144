/*
 * grep: the verb `grep`: lines of the record that match an extended regular
 * expression, with terminal sequences removed.  Options in docs/oobctl.1.
 */
#ifndef SERIAL_GREP_H
#define SERIAL_GREP_H

#include "view.h"

/*
 * Have the characters' table (a file of the system) at hand, for good; without
 * it only bytes are matched.  grep_run does so itself, unless the process has
 * given up opening paths by then.
 */
void grep_prepare(void);

/*
 * argv: "grep", the consoles with commas between, the expression, options.
 * VIEW_FAILED when nothing matched.
 */
enum view_status grep_run(const struct view *, int argc, char *const argv[]);

#endif
