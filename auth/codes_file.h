/*
 * codes_file: what codes.c keeps on disk, a folder with one file per admin.
 *
 *	oobd-code 1
 *	name alice
 *	kind hotp
 *	secret GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
 *	counter 00000000000000000017
 *	used 0000000015
 *	made 000001700000000
 *	end
 *
 * counter is the lowest that is still good (of time-based codes: the step).
 * A file is good only as it would be written, and under the name it holds: a
 * copy, or what a crash left behind, is nobody's.  It never changes its
 * length, so that a full disk does not keep a counter from being written: what
 * cannot be replaced is then written in place.  Another format gets another
 * number in the first line, and is read beside this one.
 */
#ifndef AUTH_CODES_FILE_H
#define AUTH_CODES_FILE_H

#include "otp.h"

#define CODES_MAX 64			/* admins */
#define CODES_NAME 33			/* bytes of a name with NUL */
#define CODES_USED_MAX UINT64_C(9999999999)

struct codes_record {
	char name[CODES_NAME];
	bool totp;
	struct otp_secret secret;
	uint64_t counter;
	uint64_t used;			/* codes that worked so far */
	int64_t made;			/* seconds since the epoch */
};

struct codes_names {
	char name[CODES_MAX][CODES_NAME];	/* sorted */
	size_t n;
};

struct codes_folder {
	int fd;			/* holds the lock, too */
};

/*
 * Open and lock the folder, which keeps everyone else out of it until
 * codes_folder_close; make it when it is not there and make is set.  Waits
 * for the lock up to two seconds.  0, or -1 with errno: ENOENT no folder, EBUSY
 * locked.
 */
int codes_folder_open(struct codes_folder *, const char *path, bool make);
/* The same of one that is held by this descriptor, which stays open. */
int codes_folder_enter(struct codes_folder *, int held);
/* errno stays as it was. */
void codes_folder_close(struct codes_folder *);

/* 0, or -1 with errno; E2BIG when there are more than CODES_MAX. */
int codes_folder_list(const struct codes_folder *, struct codes_names *);

/* 0, or -1 with errno; EBADMSG: damaged.  The caller wipes the record. */
int codes_file_read(const struct codes_folder *, const char *name,
    struct codes_record *);

/*
 * 0 when it is on the disk, whatever happens to the power; -1 with errno, and
 * then it may or may not be there.
 */
int codes_file_write(const struct codes_folder *, const struct codes_record *);

/* 0, or -1 with errno. */
int codes_file_remove(const struct codes_folder *, const char *name);

#endif
