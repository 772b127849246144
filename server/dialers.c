#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "dialer.h"
#include "dialers.h"

#define PORT_TEXT 8

/* A process, or room for one. */
struct dialer_job {
	struct job *job;		/* NULL: room */
	bool killed;
	char *relay, *host;
	unsigned ports[2];
};

struct dialers {
	struct children *children;
	const struct ppprun *ppp;
	struct dialer_job jobs[DIALERS_MAX];
};

struct dialers *
dialers_new(struct children *children, const struct ppprun *ppp)
{
	struct dialers *d = xcalloc(1, sizeof(*d));

	d->children = children;
	d->ppp = ppp;
	return d;
}

static void
make_room(struct dialer_job *j)
{
	free(j->relay);
	free(j->host);
	memset(j, 0, sizeof(*j));
}

void
dialers_free(struct dialers *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < DIALERS_MAX; i++) {
		if (d->jobs[i].job != NULL)
			job_cancel(d->jobs[i].job);
		make_room(&d->jobs[i]);
	}
	free(d);
}

static void
on_ended(void *arg, int status)
{
	(void)status;
	make_room(arg);
}

/* It has its place until it is gone. */
static void
kill_one(struct dialer_job *j)
{
	if (j->job == NULL || j->killed)
		return;
	j->killed = true;
	job_kill(j->job);
}

void
dialers_forget(struct dialers *d)
{
	for (size_t i = 0; i < DIALERS_MAX; i++)
		kill_one(&d->jobs[i]);
}

/* Of two ports the order is the asker's. */
static bool
leads_to(const struct dialer_job *j, const struct config_relay *r)
{
	return strcmp(j->relay, r->name) == 0 &&
	    strcmp(j->host, r->host) == 0 &&
	    ((j->ports[0] == r->port && j->ports[1] == r->second_port) ||
	    (j->ports[1] == r->port && j->ports[0] == r->second_port));
}

void
dialers_follow(struct dialers *d, const struct config *conf)
{
	for (size_t i = 0; i < DIALERS_MAX; i++) {
		struct dialer_job *j = &d->jobs[i];
		bool stays = false;

		for (size_t k = 0; j->job != NULL && k < conf->nrelays; k++)
			stays = stays || leads_to(j, &conf->relays[k]);
		if (!stays)
			kill_one(j);
	}
}

/* A place, or NULL.  Whoever dials for this relay still is given up. */
static struct dialer_job *
place_for(struct dialers *d, const struct config_relay *r)
{
	struct dialer_job *room = NULL;

	for (size_t i = 0; i < DIALERS_MAX; i++) {
		struct dialer_job *j = &d->jobs[i];

		if (j->job == NULL)
			room = j;
		else if (strcmp(j->relay, r->name) == 0)
			kill_one(j);
	}
	return room;
}

/* NULL, or why it cannot go that way. */
static const char *
find_way(const struct dialers *d, const struct config_relay *r, bool ppp,
    struct ppprun_way *way)
{
	memset(way, 0, sizeof(*way));
	if (ppp)
		return ppprun_way(d->ppp, way) ? NULL : "PPP is not up";
	return r->ppp_only ? "it goes over PPP only" : NULL;
}

/* False, with errno. */
static bool
run(struct dialers *d, struct dialer_job *j, struct ppprun_way *way, int fd)
{
	char port[PORT_TEXT], second[PORT_TEXT];
	char *words[DIALER_WORDS] = {
		[DIALER_HOST] = j->host,
		[DIALER_PORT] = port,
		[DIALER_SECOND] = second,
		[DIALER_SERVERS] = way->servers,
		[DIALER_LOCAL] = way->local,
		[DIALER_INTERFACE] = way->interface,
	};
	const struct job_conf conf = { .role = "dialer", .argv = words,
	    .argc = DIALER_WORDS, .fd = fd, .limit_ms = DIALER_LIMIT_MS };

	snprintf(port, sizeof(port), "%u", j->ports[0]);
	snprintf(second, sizeof(second), "%u", j->ports[1]);
	j->job = job_run(d->children, &conf, on_ended, j);
	return j->job != NULL;
}

int
dialers_start(struct dialers *d, const struct config_relay *r,
    const struct dialers_ask *ask, const char **why)
{
	struct dialer_job *j = place_for(d, r);
	bool swap = ask->second && r->second_port != 0;
	struct ppprun_way way;
	int pair[2];

	*why = j == NULL ? "too many dialers run" :
	    find_way(d, r, ask->ppp, &way);
	if (*why != NULL)
		return -1;
	*why = "its dialer cannot be started";
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		log_errno("dialer: socketpair");
		return -1;
	}
	j->relay = xstrdup(r->name);
	j->host = xstrdup(r->host);
	j->ports[0] = swap ? r->second_port : r->port;
	j->ports[1] = swap ? r->port : r->second_port;
	if (!run(d, j, &way, pair[1])) {
		log_errno("dialer: cannot start");
		make_room(j);
		close(pair[0]);
		pair[0] = -1;
	}
	close(pair[1]);
	return pair[0];
}
