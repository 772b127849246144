/*
 * pppleft: what PPP would leave behind if everything of ours were killed at
 * once, noted in run_dir/ppp as it comes to be: its process, its interface,
 * routes.  The folder is the service user's, so what is read there is only
 * believed as far as it names a PPP of ours, and routes over its interface.
 */
#ifndef SERVER_PPPLEFT_H
#define SERVER_PPPLEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../modem/route.h"

#define PPPLEFT_ROUTES 32

struct pppleft {
	pid_t pid;			/* 0: none */
	char interface[ROUTE_NAME];	/* "": none yet */
	bool all;			/* the way to everywhere leads there */
	char routes[PPPLEFT_ROUTES][ROUTE_ADDRESS];
	size_t nroutes;
};

/* Replace the note.  Failures are logged: PPP goes on. */
void pppleft_write(const char *run_dir, const struct pppleft *);
/* What stands in the note.  False: there is none. */
bool pppleft_read(const char *run_dir, struct pppleft *);
void pppleft_remove(const char *run_dir);

/* Take all routes back. */
void pppleft_unroute(const struct pppleft *);

/*
 * End what a note tells of, if it is there and ours, and remove the note.
 * May take 5 s.
 */
void pppleft_clean(const char *run_dir);

#endif
