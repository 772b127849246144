/*
 * modem_store: the stick's message stores: SM, ME and what else it is given,
 * and MT, which is all of them one after the other.  Pure.
 */
#ifndef SIM_MODEM_STORE_H
#define SIM_MODEM_STORE_H

#include <stdbool.h>
#include <stddef.h>

#define STORE_KINDS 4		/* most stores */
#define STORE_SIZE_MAX 255	/* most messages in one */
#define STORE_PDU 384		/* hex digits of a PDU and NUL */

/* As +CMGL's numbers. */
enum store_state {
	STORE_UNREAD,
	STORE_READ,
	STORE_UNSENT,
	STORE_SENT,
};

struct slot {
	bool used;
	enum store_state state;
	char pdu[STORE_PDU];
};

struct store;			/* all of them */

/*
 * conf as "SM=20,ME=50".  NULL when that is not such a list: names of two
 * letters (not MT), sizes from 1 to STORE_SIZE_MAX, at most STORE_KINDS.
 */
struct store *store_new(const char *conf);
void store_free(struct store *);		/* NULL is fine */

/* Number of a store by its name (MT, too), -1 when there is none. */
int store_find(const struct store *, const char *name);
/* The stores in order, MT the last of them; NULL behind it. */
const char *store_name(const struct store *, int which);

unsigned store_size(const struct store *, int which);
unsigned store_used(const struct store *, int which);
/* NULL: there is no such place.  It may be unused. */
struct slot *store_slot(struct store *, int which, unsigned at);
/*
 * Into the first free place, which is told.  -1: full, or longer than
 * STORE_PDU - 1 digits.
 */
int store_put(struct store *, int which, const char *pdu, enum store_state);

#endif
