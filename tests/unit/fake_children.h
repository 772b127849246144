/*
 * fake_children: stands in for server/children.c (whoever includes this must
 * need nothing else of it).  A child is its link, a job is written down and
 * never run: it ends when end_job says so.
 */
#ifndef UNIT_FAKE_CHILDREN_H
#define UNIT_FAKE_CHILDREN_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/children.h"

#define FAKE_JOBS 300
#define FAKE_WORDS 20000

struct child {
	const char *role;
	struct link *link;
};

struct job {
	bool runs, privileged;
	bool killed;			/* but still there: end_job */
	char role[16];
	char words[FAKE_WORDS];		/* with | between them */
	int fd;				/* our own of its socket */
	int64_t limit_ms;
	void (*ended)(void *arg, int status);
	void *arg;
};

static struct job fake_jobs[FAKE_JOBS];
static struct job *fake_last;		/* begun last */
static unsigned fake_begun, fake_cancelled;
static bool fake_refuse;		/* none can be started */

struct link *
child_link(struct child *c)
{
	return c->link;
}

const char *
child_role(const struct child *c)
{
	return c->role;
}

struct job *
job_run(struct children *all, const struct job_conf *conf,
    void (*ended)(void *, int), void *arg)
{
	struct job *j = fake_jobs;
	size_t n = 0;

	(void)all;
	while (j < fake_jobs + FAKE_JOBS && j->runs)
		j++;
	if (fake_refuse || j == fake_jobs + FAKE_JOBS) {
		errno = EAGAIN;
		return NULL;
	}
	j->runs = true;
	j->killed = false;
	j->privileged = conf->privileged;
	j->limit_ms = conf->limit_ms;
	j->ended = ended;
	j->arg = arg;
	j->fd = fcntl(conf->fd, F_DUPFD_CLOEXEC, 0);
	snprintf(j->role, sizeof(j->role), "%s", conf->role);
	j->words[0] = '\0';
	for (int i = 0; i < conf->argc; i++)
		n += (size_t)snprintf(j->words + n, sizeof(j->words) - n,
		    "%s%s", i > 0 ? "|" : "", conf->argv[i]);
	fake_last = j;
	fake_begun++;
	return j;
}

static inline void
end_job(struct job *j)
{
	j->runs = false;
	close(j->fd);
	if (j->ended != NULL)
		j->ended(j->arg, 0);
}

/* As children_free does: nobody is told. */
static inline void
drop_jobs(void)
{
	for (size_t i = 0; i < FAKE_JOBS; i++) {
		fake_jobs[i].ended = NULL;
		if (fake_jobs[i].runs)
			end_job(&fake_jobs[i]);
	}
}

static inline void
end_jobs(void)
{
	for (size_t i = 0; i < FAKE_JOBS; i++) {
		if (fake_jobs[i].runs)
			end_job(&fake_jobs[i]);
	}
}

void
job_cancel(struct job *j)
{
	if (!j->runs)
		abort();	/* it is gone: children.c has freed it */
	fake_cancelled++;
	j->ended = NULL;
	end_job(j);
}

void
job_kill(struct job *j)
{
	if (!j->runs)
		abort();
	fake_cancelled++;
	j->killed = true;
}

#endif
