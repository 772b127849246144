/*
 * jfile_internal: shared by jfile.c (what waits, and writing it) and
 * jfile_open.c (how a segment begins, and what it says of the one before).
 */
#ifndef SERIAL_JFILE_INTERNAL_H
#define SERIAL_JFILE_INTERNAL_H

#include <sys/types.h>

#include "jdir.h"
#include "jfile.h"
#include "record.h"
#include "seal.h"

#define RETIRED_MAX (JFILE_SYNC_FDS - 2)
#define TORN_MAX (1024 * 1024)	/* of a torn tail copied to its side file */

enum jfile_state {
	JFILE_ABSENT,		/* no segment is open */
	JFILE_WRITING,
	JFILE_STUCK,		/* open, but the last write failed */
};

struct jfile {
	char *log_dir, *console, *box, *system;
	uint64_t boot, segment_max;
	int64_t rotate_age_ms, seal_ms;
	enum jfile_state state;
	int dirfd, fd;
	char *path;
	struct jdir_segment segment;
	dev_t dev;
	ino_t ino;
	struct mono checked, opened, reserve_tried;
	int64_t difference;
	uint64_t bytes;
	bool rotate, fresh, dirty, dir_dirty, want_seal;
	bool reserved;			/* the reserve is there */
	bool clean;			/* the segment ended with a last seal */
	char gone[JDIR_NAME];		/* the segment that was taken away */
	/* Records that wait: out[pos..len), out[0] begins a record. */
	char *out;
	size_t pos, len;
	uint64_t end, shown;		/* after all that was added */
	uint64_t whole, written;	/* after all that is in the file */
	/*
	 * Lines of our own that go before the next of those records:
	 * urgent[upos..ulen), a seal of useal bytes first.
	 */
	char urgent[2 * RECORD_MAX];
	size_t upos, ulen, useal;
	struct seal *seal;
	struct seal_mark next;		/* once that seal is in the file */
	struct seal_mark mark;		/* the newest that is */
	struct mono sealed;		/* when that was */
	int retired[RETIRED_MAX];
	int nretired;
	struct record_clock clock;
	char problem[160];
};

/* Note the problem with errno; returns -1 and keeps errno. */
int jfile_failed(struct jfile *, const char *what, const char *name);

/* Open the folder, made if missing.  0, or -1 with the problem noted. */
int jfile_open_dir(struct jfile *);
void jfile_close_dir(struct jfile *);

/*
 * Begin the next segment: its header, and what was found on the way here.  fd
 * and segment are set, and what waits begins with a whole record; *header is
 * the header's record.  0, or -1 with the problem noted, and nothing is left.
 */
int jfile_open_segment(struct jfile *, struct stamp when,
    struct record *header);

#endif
