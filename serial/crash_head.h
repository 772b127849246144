/*
 * crash_head: the head of a crash bundle, and its file's name.  Pure.
 *
 *	oobd-crash 1
 *	console=gw
 *	...			one key=value a line
 *	(an empty line, then the device's bytes)
 *
 * Readers skip keys that they do not know.
 */
#ifndef SERIAL_CRASH_HEAD_H
#define SERIAL_CRASH_HEAD_H

#include "crash.h"

#define CRASH_HEAD_MAX 2048
#define CRASH_ALERTS 256

struct crash_head {
	struct crash_info info;	/* without id and file */
	char console[33], box[33];
	char alerts[CRASH_ALERTS];	/* all that told of it: "panic,reboot" */
	char line[ALERTS_TEXT];	/* the first one's */
	uint64_t offset;	/* of that line */
	uint64_t from;		/* of the first byte */
};

/* dst of CRASH_HEAD_MAX bytes.  Returns the length. */
size_t crash_head_write(char *dst, const struct crash_head *);
/* Length of the head in these n bytes; 0: it is none. */
size_t crash_head_read(struct crash_head *, const char *, size_t n);

/* "00000003-20261122T094103Z-panic.crash", or .part. */
char *crash_name(char dst[CRASH_FILE], const struct crash_info *, bool part);
/* id, time, alert and file of such a name.  0 or -1. */
int crash_name_read(struct crash_info *, const char *name);
bool crash_is_part(const char *name);

#endif
