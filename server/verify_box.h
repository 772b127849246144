/*
 * verify_box: what the box's journal says: the seals it has of itself and of
 * the consoles' journals, what was removed, what was signed.
 */
#ifndef SERVER_VERIFY_BOX_H
#define SERVER_VERIFY_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../serial/check.h"

struct box;

enum box_sign {
	BOX_UNSIGNED,		/* nothing is signed */
	BOX_NO_KEY,		/* signed, but there is no key to compare */
	BOX_SIGNED,
};

struct box_signature {
	enum box_sign state;
	uint64_t seal;		/* the newest that is signed */
	int64_t utc_us;
	char key[64];		/* its fingerprint */
};

struct box_conf {
	const char *log_dir;
	const char *key;	/* text with the public key to trust, NULL */
	const struct check_want *want;	/* NULL: all of it */
	void (*finding)(void *arg, const struct check_finding *);
	void *arg;
};

/*
 * Read and check it; what is wrong is told through finding.  Never NULL;
 * *result as of check_journal, and -1 in *status with errno when it cannot be
 * read.
 */
struct box *box_read(const struct box_conf *, struct check_result *,
    int *status);
void box_free(struct box *);

void box_signature(const struct box *, struct box_signature *);

/* Its own seal of that number: its hash, NULL when it has none. */
const char *box_own(const struct box *, uint64_t number);

/* What it says of a console's journal. */
/* The seal of that number. */
const char *box_seal(const struct box *, const char *console,
    uint64_t number);
/* The newest seal; number 0: it knows none. */
struct seal_mark box_newest(const struct box *, const char *console);
/* It was written to, and older at that time than it had been before. */
bool box_went_back(const struct box *, const char *console,
    struct seal_mark *to);
/* That segment was removed, and this was its last seal. */
bool box_removed(const struct box *, const char *console, uint32_t seq,
    const char *hash);

#endif
