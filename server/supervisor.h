/*
 * supervisor: reads the configuration, owns what must survive a child
 * (devices, histories, listening sockets), keeps the children alive.  It
 * speaks no protocol to the outside.
 */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H

#include <stdbool.h>

#include "config.h"

struct supervisor_conf {
	const char *program;	/* absolute path of oobd */
	const char *file;	/* the configuration, for SIGHUP */
	bool debug;
	bool syslog;
};

/* Run until SIGTERM or SIGINT; takes over conf.  Returns the exit status. */
int supervisor_main(const struct supervisor_conf *, struct config *conf);

#endif
