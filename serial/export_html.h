/*
 * export_html: one page that plays a recording, with nothing beside it: the
 * asciinema player (its licence with it) and the recording stand inside.
 */
#ifndef SERIAL_EXPORT_HTML_H
#define SERIAL_EXPORT_HTML_H

#include <stddef.h>

#include "viewout.h"

struct export_page {
	const char *console;
	int64_t since_us, until_us;
	const char *verified;		/* what verify says of the record */
};

/*
 * Where the player may be, the i-th folder to look in; NULL behind the last.
 * $OOBD_SHARE says, or else it is where packages and `make install` put it.
 */
const char *export_html_share(size_t i);

/*
 * Everything before the recording's lines.  0; -1: the player is not there,
 * and that was said, nothing written.
 */
int export_html_begin(struct viewout *, const struct export_page *);
void export_html_end(struct viewout *);

#endif
