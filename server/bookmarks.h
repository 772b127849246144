/*
 * bookmarks: how far each user has seen each console.  Pure.
 *
 * Memory: BOOKMARKS_MAX of about 200 bytes; the oldest makes room.
 */
#ifndef SERVER_BOOKMARKS_H
#define SERVER_BOOKMARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chronicle.h"

#define BOOKMARKS_MAX 1024
#define BOOKMARK_USER 80

struct bookmark {
	char user[BOOKMARK_USER];
	char console[33];
	int64_t utc_us;		/* when he was last there */
	bool cut;		/* he did not leave: he was cut off */
	bool told;		/* and was told so since */
	struct tally seen;
};

struct bookmarks;

struct bookmarks *bookmarks_new(void);
void bookmarks_free(struct bookmarks *);	/* NULL is fine */

/*
 * He was there and had seen so much.  Of two who were cut off, the one that
 * had seen less counts, until he was told.
 */
void bookmarks_set(struct bookmarks *, const struct bookmark *);
/* He was told what he missed. */
void bookmarks_told(struct bookmarks *, const char *user,
    const char *console);
/* NULL: he never was there. */
const struct bookmark *bookmarks_find(const struct bookmarks *,
    const char *user, const char *console);

/* As text, and back into a fresh one.  load: 0, or -1 for no such text. */
char *bookmarks_save(const struct bookmarks *);
int bookmarks_load(struct bookmarks *, const char *text);

#endif
