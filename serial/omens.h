/*
 * omens: what systems print when they boot and when they crash, as one
 * extended regular expression for each.  Pure.
 */
#ifndef SERIAL_OMENS_H
#define SERIAL_OMENS_H

#include <stddef.h>

enum omen {
	OMEN_BOOT,	/* of a boot loader: nothing else prints it */
	OMEN_KERNEL,	/* of a kernel that begins; dmesg(8) prints it, too */
	OMEN_PANIC,
};
#define OMENS 3

struct omen_row {
	enum omen omen;
	const char *system;	/* for people */
	const char *ere;
	const char *example;	/* a line that it is made for */
};
/* The rows, for tests and documents.  NULL: no more. */
const struct omen_row *omen_at(size_t i);

/* All of them in one.  The caller frees. */
char *omen_pattern(enum omen);

#endif
