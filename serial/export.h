/*
 * export: the verb `export`: a span of the record in a form that other
 * people's tools play.  What would do more to a terminal than draw is taken
 * out, unless --raw.  Options in docs/oobctl.1.
 */
#ifndef SERIAL_EXPORT_H
#define SERIAL_EXPORT_H

#include "view.h"

/* Of a journal; state: the state folder, or NULL. */
struct export_span {
	const char *console, *state;
	int64_t since_us, until_us;
};

/* Say in dst, a line of n bytes, whether that record is as it was written. */
typedef void export_vouch(const struct view *, const struct export_span *,
    char *dst, size_t n);
#define EXPORT_VOUCHED 1024

/* argv: "export", the console, options. */
enum view_status export_run(const struct view *v, export_vouch *vouch,
    int argc, char *const argv[]);

#endif
