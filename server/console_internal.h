/* What console.c, client*.c, task.c and answer*.c share; nobody else. */
#ifndef SERVER_CONSOLE_INTERNAL_H
#define SERVER_CONSOLE_INTERNAL_H

#include "base/link.h"
#include "config.h"
#include "proto.h"
#include "wire.h"

#define CLIENTS_MAX 64		/* oobctl at work, and the peers */
#define INFO_TEXT 512

struct authlog;
struct client;
struct control;
struct granter;
struct kept_notice;
struct notices;
struct sealer;
struct task;
struct witness;

/* Who is at the other end of a link. */
enum peer {
	PEER_LOCAL,		/* somebody's oobctl */
	PEER_SSH,		/* our ssh process */
	PEER_MODEM,		/* our modem process */
	PEER_NOTIFY,		/* our notify process */
};

/* What a peer wants shown by status, such as the host key. */
struct info {
	const struct client *from;	/* NULL: free */
	char key[48];
	char text[INFO_TEXT];
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
	struct sealer *sealer;		/* once that is there */
	struct wires *wires;
	struct witness *witness;	/* NULL: nothing is watched */
	struct authlog *authlog;	/* NULL: there is no scribe yet */
	struct timer *authlog_flush;
	uint8_t *vouchers;		/* their key (secret.h), NULL: the ssh
					   process has our trust */
	struct granter *granter;	/* once there is a configuration */
	struct client *clients;
	size_t nclients;
	struct control *control;	/* once there is its socket */
	struct timer *leave;		/* stopping: what was said is heard */
	uint32_t next_guest;		/* ids that who shows and kick takes */
	uint32_t next_reader;
	uint32_t flushed_reader;	/* up to it, all is in the files */
	uint64_t epoch;			/* of this process */
	struct mono started;
	struct child_state others[4];
	struct info infos[64];
	struct notices *notices;	/* NULL: nobody is to be told */
	struct kept_notice *kept;	/* not yet taken by the notify process */
	size_t nkept;
	uint64_t last_notice;
	struct task *tasks;
	size_t ntasks;
	uint32_t last_task;
	bool presence_due;		/* somebody came or went */
	bool stopping;
};

#endif
