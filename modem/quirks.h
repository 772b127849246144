/*
 * quirks: what differs between makers of modems, as one const table.  Every
 * command here may be refused without harm.  Pure.
 */
#ifndef MODEM_QUIRKS_H
#define MODEM_QUIRKS_H

#include <stdbool.h>

/* How to ask how many attempts at the PIN are left. */
struct quirk_tries {
	const char *text, *prefix;
	const char *first;	/* the answer's first field, or NULL: any */
	unsigned field;		/* which (from 0) holds the number */
};

/* Lists end with NULL. */
struct quirk {
	const char *name;
	const char *maker;		/* in AT+CGMI; NULL: all others */
	const char *const *init_two;	/* control port, another one is data */
	const char *const *init_one;	/* the only port: URCs must come here */
	const char *const *iccid;	/* tried in turn until one answers */
	const struct quirk_tries *tries; /* ends with .text NULL */
	const char *const *reset;	/* restarts the modem; in turn */
	const char *port_mode;		/* which interface is what, or NULL */
	const char *sysinfo;		/* service, roaming; or NULL */
	const char *modem_only;		/* no CD-ROM any more (written into the
					   modem: only when a human says so) */
	const char *const *cnmi;	/* parameters of AT+CNMI, best first */
	const char *const *stores;	/* of messages, best first */
	bool lte;			/* has +CEREG */
};

/* By the answer to AT+CGMI; never NULL. */
const struct quirk *quirk_find(const char *maker);

/* The row number i, NULL behind the last (which is the generic one). */
const struct quirk *quirk_at(unsigned i);

#endif
