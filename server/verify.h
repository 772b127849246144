/*
 * verify: the verb that says whether a console's journal is as it was written:
 * by its own seals (check.h), by what the box's journal says of it, by the
 * signatures there, and by what is kept outside of the journals.
 */
#ifndef SERVER_VERIFY_H
#define SERVER_VERIFY_H

#include "../serial/export.h"
#include "../serial/view.h"

/*
 * verify CONSOLE [--key FILE] [--seal NUMBER:HASH] [--state FOLDER]
 * [--json].  VIEW_OK: nothing is wrong; VIEW_FAILED: something is, or it
 * cannot be read.
 */
enum view_status verify_run(const struct view *, int argc,
    char *const argv[]);

/*
 * For export_run: the same of a span, as a line for a page.  Reads the segments
 * of the span alone, and the box's journal since then: no more text than this.
 */
#define VERIFY_SPAN_MAX (64 * 1024 * 1024)
#define VERIFY_SPAN_BOX_MAX (16 * 1024 * 1024)
void verify_span(const struct view *, const struct export_span *, char *dst,
    size_t n);

#endif
