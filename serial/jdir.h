/*
 * jdir: the folder of one console's journal.  A segment's file name is its
 * number and the time of its first record, SEQ-YYYYMMDDTHHMMSSZ.log, and
 * .log.zst once it is packed; order is by number alone, the time only helps to
 * find one.
 */
#ifndef SERIAL_JDIR_H
#define SERIAL_JDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JDIR_NAME 48
#define JDIR_PACKED ".zst"
#define JDIR_BOX ".box"			/* the journal of the box itself */
#define JDIR_CURRENT "current"		/* symlink to the newest segment */

struct jdir_segment {
	uint32_t seq;
	int64_t utc_us;
	bool packed;
	char name[JDIR_NAME];
};

struct jdir {
	struct jdir_segment *segments;	/* ascending */
	size_t count;
	uint32_t last;		/* highest number in use by any file, or 0 */
};

/* The folder's descriptor; -1 with errno. */
int jdir_open(const char *log_dir, const char *console);

/* Fill in; free with jdir_free.  0, or -1 with errno and nothing to free. */
int jdir_list(int dirfd, struct jdir *);
void jdir_free(struct jdir *);

/* Fill in the name from seq and utc_us. */
void jdir_name(struct jdir_segment *);

/*
 * Where the journal ends, as its newest readable records say.  resume: after
 * the last finished piece of a line; shown: after the previews beyond it.
 */
struct jdir_place {
	uint64_t resume, shown;
	int known;		/* there was such a record */
};

/* Read backwards as far as needed.  0, or -1 with errno. */
int jdir_find_place(int dirfd, const struct jdir *, struct jdir_place *);

#endif
