/*
 * export_html: one page that plays a recording, with nothing beside it: the
 * asciinema player (its licence with it) and the recording stand inside.
 */
#ifndef SERIAL_EXPORT_HTML_H
#define SERIAL_EXPORT_HTML_H

#include "viewout.h"

struct export_page {
	const char *console;
	int64_t since_us, until_us;
	const char *verified;		/* what verify says of the record */
};

/*
 * Everything before the recording's lines.  0; -1: the player is not there,
 * and that was said, nothing written.
 */
int export_html_begin(struct viewout *, const struct export_page *);
void export_html_end(struct viewout *);

#endif
