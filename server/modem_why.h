/*
 * modem_why: what stands in the way of the link, by name and in words that
 * begin with the name: "E-REG: not registered: searching, signal -71 dBm".
 * Pure.
 *
 *	E-MODEM	there is none that answers
 *	E-SIM	no SIM, or it fails
 *	E-PIN	its PIN is missing or wrong, it wants its PUK
 *	E-REG	no network, or none that may be used
 *	E-APN	the network does not take the apn, or sells no data
 *	E-AUTH	it does not take user and password
 *	E-PDP	it gives no address
 *	E-DEAD	nothing comes back
 *	E-PORTAL	somebody else answers in place of the relay
 *	E-RELAY	the network works, the relay does not
 *	E-QUOTA	the budget of bytes is used up
 *	E-PORT	the port does not do what it should
 *	E-PPP	this system cannot do PPP
 *
 * A drill (modem/drill.h) has E-LOGIN, E-LATE, E-DOWN and E-CUT beside them.
 */
#ifndef SERVER_MODEM_WHY_H
#define SERVER_MODEM_WHY_H

#include <stdbool.h>
#include <stdint.h>

#include "../modem/device.h"

#define MODEM_WHY 160		/* as LINKSTATE_WHY */
#define MODEM_WHY_NAME 16

enum modem_can {
	MODEM_CAN,
	MODEM_WAITS,		/* it may become able by itself */
	MODEM_CANNOT,		/* not without a human */
};

/* Can it dial?  If not, why (also what it waits for).  NULL: no modem. */
enum modem_can modem_why_not(const struct device_status *, bool roaming,
    char why[MODEM_WHY]);

/* A call did not come about; cause: the text of AT+CEER, or "". */
char *modem_why_call(char why[MODEM_WHY], const struct at_reply *,
    const char *cause);
/* Is it worth to ask for the cause? */
bool modem_why_has_cause(const struct at_reply *);

/*
 * PPP was there, but no relay within its time: what the relay said last (a
 * name of relay_text.c and text, may be ""), and whether a byte came in.
 */
char *modem_why_unproven(char why[MODEM_WHY], const char *failure,
    const char *text, bool heard);

/* The name that such words begin with, "" when they have none. */
char *modem_why_name(char name[MODEM_WHY_NAME], const char *why);

/* dBm; 0: not known. */
int modem_why_dbm(int rssi);

#endif
