/* What witness.c and witness_show.c share; nobody else. */
#ifndef SERVER_WITNESS_INTERNAL_H
#define SERVER_WITNESS_INTERNAL_H

#include "../serial/lookout.h"
#include "bookmarks.h"
#include "chronicle.h"
#include "saver.h"
#include "witness.h"

/* One console's. */
struct place {
	struct place *next;
	struct witness *witness;
	struct wire *wire;
	struct look *look;
	struct chronicle *chronicle;
	bool up, dirty;
	uint64_t losses;	/* known already */
	uint64_t marked;	/* how far it was when that was saved */
};

struct witness {
	struct console *console;
	char *dir;
	struct lookout *lookout;
	struct saver *saver;
	struct bookmarks *bookmarks;
	bool bookmarks_dirty;
	struct place *places;
	struct timer *save, *mark;
};

const char *severity_text(unsigned severity);
/* Lines up to this offset, as far as they were counted. */
uint64_t place_lines(struct place *, uint64_t offset);

#endif
