/*
 * tidy_list: what journals there are, how large and how old; and which closed
 * segment is to go next.
 */
#ifndef SERIAL_TIDY_LIST_H
#define SERIAL_TIDY_LIST_H

#include "tidy.h"

#define TIDY_NAME 64

/* One journal.  Segments 0 to count - 2 are closed. */
struct tidy_journal {
	char console[TIDY_NAME];
	struct jdir dir;
	uint64_t *bytes;	/* of each segment */
	uint64_t sum;
	size_t first;		/* those before were removed */
	struct tidy_keep keep;
};

struct tidy_list {
	struct tidy_journal *journals;
	size_t count;
	uint64_t sum;
};

/* All journals of the folder.  0, or -1 with errno and nothing to free. */
int tidy_list_read(const char *log_dir, struct tidy_list *);
void tidy_list_free(struct tidy_list *);

/*
 * The journal whose oldest closed segment has to go, and why; NULL: none has
 * to.  room: bytes that are missing on the file system.
 */
struct tidy_journal *tidy_list_next(struct tidy_list *,
    const struct tidy_conf *, int64_t now_us, uint64_t room, const char **why);
/* It is gone. */
void tidy_list_gone(struct tidy_list *, struct tidy_journal *);

#endif
