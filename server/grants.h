/*
 * grants: rights to a console that end by themselves.  Pure: the caller gives
 * the times.
 *
 * While the box runs a grant lasts by the monotonic clock: whatever is done
 * to the wall clock makes it neither longer nor shorter, and a process that is
 * killed goes on where it was.  Of one that is older than this boot the wall
 * clock is a limit, too, and so is what was left of it when it was last saved:
 * each boot costs GRANTS_REBOOT_MS of that.  A clock that was set back can
 * so give away the time that the box was off, and no more.
 *
 * Memory: GRANTS_MAX of about 200 bytes.
 */
#ifndef SERVER_GRANTS_H
#define SERVER_GRANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "config.h"

#define GRANTS_MAX 64
#define GRANTS_LEAST_MS 1000
#define GRANTS_MOST_MS (7 * 24 * 60 * 60 * INT64_C(1000))
#define GRANTS_REBOOT_MS (60 * INT64_C(1000))

struct grant {
	char user[33], console[33];
	char by[80];		/* who gave it */
	enum role role;		/* viewer or operator */
	struct mono until;
	int64_t utc_us;		/* the same moment by the wall clock */
	bool rebooted;		/* older than this boot: utc_us ends it, too */
	bool warned;		/* the caller's: its user was told the end */
};

struct grants;

struct grants *grants_new(void);	/* never NULL */
void grants_free(struct grants *);	/* NULL is fine */

/*
 * user, console, by and role are taken from *what; it lasts ms from now on,
 * in the place of one for the same user and console.  0, or -1: there are
 * GRANTS_MAX already.
 */
int grants_add(struct grants *, const struct grant *what, int64_t ms,
    struct stamp now);
/* NULL: there is none.  Valid until the next change. */
struct grant *grants_find(const struct grants *, const char *user,
    const char *console);
void grants_remove(struct grants *, struct grant *);

size_t grants_count(const struct grants *);
struct grant *grants_at(const struct grants *, size_t i);

/* At most 0: it is over. */
int64_t grants_left_ms(const struct grant *, struct stamp now);
/* Of the one that ends first; -1: there is none. */
int64_t grants_next_ms(const struct grants *, struct stamp now);

/* As text; boot is what os_boot_id says.  The caller frees. */
char *grants_save(const struct grants *, const char *boot, struct stamp now);
/*
 * And back into a fresh one, those that are over included.  The number of
 * lines that are damaged and were left out; -1: it is no such text at all.
 */
int grants_load(struct grants *, const char *text, const char *boot,
    struct stamp now);

#endif
