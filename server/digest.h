/*
 * digest: what happened on a console since somebody was last there, in words,
 * one screen at most.  Pure.
 */
#ifndef SERVER_DIGEST_H
#define SERVER_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "bookmarks.h"
#include "chronicle.h"

#define DIGEST_ATTACHED 4	/* people named */
#define DIGEST_ALERTS 5		/* alerts shown */
#define DIGEST_TEXT 3072

struct digest {
	const char *console;
	const struct bookmark *from;
	const struct chronicle *chronicle;
	struct tally now;
	int64_t now_utc_us;
};

/* How many of what are new; the record may have begun anew meanwhile. */
struct digest_news {
	bool anew;		/* then bytes and lines are not known */
	uint64_t bytes, lines;
	uint64_t of[CHRONICLE_WHATS];	/* attached: others only */
};
struct digest_news digest_news(const struct digest *);
/* Is there anything to be told? */
bool digest_has_news(const struct digest *);

/* Lines, each ended by LF; the first is a sentence.  Returns dst. */
char *digest_text(char dst[DIGEST_TEXT], const struct digest *);

#endif
