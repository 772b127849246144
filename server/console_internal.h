/* What console.c, client.c and answer*.c share; nobody else. */
#ifndef SERVER_CONSOLE_INTERNAL_H
#define SERVER_CONSOLE_INTERNAL_H

#include "base/link.h"
#include "config.h"
#include "proto.h"
#include "wire.h"

#define CLIENTS_MAX 64		/* oobctl at work, and the ssh process */

struct client;

/* What the ssh process wants shown by status, such as its host key. */
struct info {
	char key[32];
	char text[160];
};

struct child_state {
	char role[16];
	bool up;
	uint32_t restarts;
	char why[160];
};

struct console {
	struct loop *loop;
	struct link *up;		/* to the supervisor */
	struct config *conf;
	struct scribe *scribe;
	struct wires *wires;
	struct client *clients;
	size_t nclients;
	struct watch *accept;		/* the control socket */
	int control;
	struct timer *accept_again;	/* after running out of descriptors */
	uint32_t next_guest;		/* ids that who shows and kick takes */
	uint32_t next_reader;
	uint64_t epoch;			/* of this process */
	struct mono started;
	struct child_state others[4];
	struct info infos[8];
	bool stopping;
};

#endif
