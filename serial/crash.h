/*
 * crash: what a console's device sent before and after a crash or a reboot,
 * as one file that can be handed to others: CRASH_BEFORE bytes before the
 * line that told of it, then the boot, until nothing came for a while or
 * CRASH_AFTER bytes have come.
 *
 * The files are LOG_DIR/CONSOLE/crash/ID-TIME-ALERT.crash: lines of key=value,
 * an empty line, and the device's bytes.  While one grows it is called .part;
 * whoever finds that after a crash of our own goes on with it if the history
 * still has what follows, and else ends it as "cut".  The newest are kept.
 *
 * May block in the disk: not for a loop.  What fails is logged, and the
 * bundle given up.
 */
#ifndef SERIAL_CRASH_H
#define SERIAL_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts.h"
#include "history.h"

#define CRASH_BEFORE 65536
#define CRASH_AFTER (512 * 1024)
#define CRASH_LONGEST_MS (15 * 60 * 1000)
#define CRASH_KEEP_MAX 64
#define CRASH_FILE 80		/* a file's name, NUL included */

struct crash;

struct crash_info {
	unsigned id;		/* counts up */
	int64_t utc_us;		/* when it happened */
	char alert[ALERTS_NAME];	/* the first that told of it */
	char ended[16];		/* quiet, limit, time, gap, cut; "": it grows */
	uint64_t bytes;		/* of the device */
	char file[CRASH_FILE];	/* without its folder */
};

struct crash_conf {
	const char *log_dir, *console, *box;
	unsigned keep;		/* 0: none is made */
	int64_t quiet_ms;	/* the boot is over then */
};

/* One console's; strings are copied.  A part that was left is taken up. */
struct crash *crash_new(const struct crash_conf *, const struct history *);
void crash_configure(struct crash *, unsigned keep, int64_t quiet_ms);
/* One that grows stays a part.  NULL is fine. */
void crash_free(struct crash *);

/* It happened: begin, or tell the one that grows.  False: none is made. */
bool crash_happened(struct crash *, const struct history *,
    const struct alert_hit *);

/*
 * Add what came up to this offset; end it if it is time.  True: it ended.
 * last: when the newest byte came.  *due: when to call again though nothing
 * comes, mono us; INT64_MAX: never.
 */
bool crash_run(struct crash *, const struct history *, uint64_t upto,
    struct mono last, struct mono now, int64_t *due);

/*
 * Those there are, oldest first, at most CRASH_KEEP_MAX (and the one that
 * grows).  The caller frees; *n 0: none, or the folder cannot be read.
 */
struct crash_info *crash_list(const char *log_dir, const char *console,
    size_t *n);

/* The folder of a console's.  The caller frees. */
char *crash_folder(const char *log_dir, const char *console);

#endif
