/*
 * compose: a text as one SMS-SUBMIT, or as up to COMPOSE_PARTS that belong
 * together.  Pure.  The default alphabet is taken when every character is in
 * it, else UCS-2; no part ends between an escape or a surrogate and its other
 * half.
 */
#ifndef MODEM_COMPOSE_H
#define MODEM_COMPOSE_H

#include "pdu.h"

#define COMPOSE_PARTS 3
#define COMPOSE_UNITS 480	/* septets or octets: enough for all parts */

struct compose {
	enum pdu_alphabet alphabet;
	unsigned parts;
	size_t start[COMPOSE_PARTS + 1];	/* of each, and the end */
	uint8_t units[COMPOSE_UNITS];
};

/* 0, or -1 with *why (static): not UTF-8, or too long. */
int compose(struct compose *, const char *text, size_t n, const char **why);

/*
 * Part seq, from 1 on, of a message whose parts share ref: fills type, coding,
 * header and data of *m and clears all the rest.
 */
void compose_part(const struct compose *, unsigned seq, uint8_t ref,
    struct pdu *m);

#endif
