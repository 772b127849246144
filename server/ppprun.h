/*
 * ppprun: PPP as the supervisor sees it: one job (pppjob.h) at a time that
 * does everything as root, and whose words go on to the modem process.
 * The modem process chooses when and for how long; what is run, as whom and
 * with which password stands in the configuration.
 */
#ifndef SERVER_PPPRUN_H
#define SERVER_PPPRUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/link.h"
#include "children.h"
#include "config.h"

struct ppprun;

struct ppprun_ops {
	/* The link to the modem process now, or NULL. */
	struct link *(*modem)(void *arg);
	/* PPP ended, and its job. */
	void (*ended)(void *arg);
};

/* owner: of the password file.  Ends what a predecessor left. */
struct ppprun *ppprun_new(struct loop *, struct children *,
    const char *run_dir, uid_t owner, const struct ppprun_ops *, void *arg);
/* Its job, if there is one, sees the end of its link and ends PPP. */
void ppprun_free(struct ppprun *);		/* NULL is fine */

/*
 * Run PPP on fd (the caller keeps its own) for so many seconds at most.  What
 * becomes of it, refusals too, is said by SV_PPP.
 */
void ppprun_start(struct ppprun *, const struct config *, uint32_t seconds,
    int fd);
/* Nothing runs: nothing happens. */
void ppprun_life(struct ppprun *, uint32_t seconds);
void ppprun_stop(struct ppprun *);
/* SV_ROUTE answers. */
void ppprun_route(struct ppprun *, bool add, const char *address);
/* The modem process ended: so does PPP; nobody is told. */
void ppprun_forget(struct ppprun *);

bool ppprun_busy(const struct ppprun *);

/* What PPP said of itself last. */
struct ppprun_way {
	char interface[32];
	char local[48];		/* its address there */
	char servers[256];	/* name servers "a,b" */
};
/* False: it is not up; *way is as it was. */
bool ppprun_way(const struct ppprun *, struct ppprun_way *);

#endif
