/*
 * modem_internal: what the files of the modem process share; nobody else.
 *
 *	modem.c			role, supervisor's words, verbs
 *	modem_device*.c		the modem itself (modem/device.h), its verb
 *	modem_dial*.c		the way over PPP
 *	modem_drill*.c		the drill
 *	modem_link*.c		the link's life, its verb
 *	modem_sms*.c		messages: activation, replies, reports
 *	modem_uplink.c		is the site's own uplink dead
 *
 * All of it runs on one loop; a pointer here is never NULL while the loop
 * runs, except where it is said.
 */
#ifndef SERVER_MODEM_INTERNAL_H
#define SERVER_MODEM_INTERNAL_H

#include "base/link.h"
#include "base/loop.h"
#include "config.h"
#include "feed.h"

struct device;
struct modem_device;
struct modem_dial;
struct modem_drill;
struct modem_link;
struct modem_sms;
struct modem_uplink;

struct modem {
	struct loop *loop;
	struct link *up;		/* to the supervisor */
	struct feed *feed;		/* to the console process */
	struct config *conf;		/* NULL until the first SV_READY */
	struct config *next;		/* given, in force with SV_READY */
	struct modem_device *device;
	struct modem_dial *dial;
	struct modem_link *link;
	struct modem_sms *sms;
	struct modem_uplink *uplink;
	struct modem_drill *drill;
	char *home;			/* our folder; NULL with conf */
	bool stopping;
	bool ready_due;			/* see role_ready */
};

#endif
