/*
 * supervised: a supervisor's table of requests with all behind it but the
 * processes: these are ends of sockets, and no job is run (fake_children).
 */
#ifndef TESTS_SUPERVISED_H
#define TESTS_SUPERVISED_H

#include "tests/unit/fake_children.h"
#include "tests/world.h"
#include "auth/secret.h"
#include "server/config.h"
#include "server/privileged.h"
#include "server/proto.h"

enum { CONSOLE, SSH, MODEM, NOTIFY, READER, ROLES };
static const char *const roles[ROLES] = {
	"console", "ssh", "modem", "notify", "reader",
};

struct supervised {
	struct loop *loop;		/* signals come to one per process */
	struct config *conf;
	struct child child[ROLES];
	int there[ROLES];		/* their ends */
	struct privileged p;
	unsigned ready, powered;
	void *arg;
};

static inline struct link *
supervised_console(void *arg)
{
	return ((struct supervised *)arg)->child[CONSOLE].link;
}

static inline struct link *
supervised_modem(void *arg)
{
	return ((struct supervised *)arg)->child[MODEM].link;
}

/* A reader is none of those that get ready. */
static inline void
supervised_ready(void *arg, struct child *c)
{
	struct supervised *s = arg;

	if (c == &s->child[READER])
		abort();
	s->ready++;
}

static inline void
supervised_power(void *arg, bool ok, const char *text)
{
	(void)ok;
	(void)text;
	((struct supervised *)arg)->powered++;
}

static const struct keeper_ops supervised_keeper = { supervised_console,
    world_nothing };
static const struct ppprun_ops supervised_ppp = { supervised_modem,
    world_nothing };
/* Nothing is asked over the links: it is given to the table itself. */
static const struct link_ops supervised_link = { .frame = world_refuse,
    .down = world_down };

/* loop and conf are there; folder for what is left behind.  0 or -1. */
static inline int
supervised_open(struct supervised *s, const char *folder)
{
	int pair[2];

	for (int i = 0; i < ROLES; i++) {
		world_pair(pair);
		s->child[i].role = roles[i];
		s->child[i].link = link_new(s->loop, pair[0], 1 << 20,
		    &supervised_link, NULL);
		s->there[i] = pair[1];
	}
	s->p = (struct privileged){
		.keeper = keeper_new(s->loop, NULL, &supervised_keeper, s),
		.lender = lender_new(s->loop, NULL, supervised_modem, s),
		.ppp = ppprun_new(s->loop, NULL, folder, getuid(),
		    &supervised_ppp, s),
		.power = power_new(NULL, supervised_power, s),
		.conf = s->conf, .uid = getuid(), .ready = supervised_ready,
		.console = supervised_console, .arg = s,
	};
	s->p.dialers = dialers_new(NULL, s->p.ppp);
	return keeper_set(s->p.keeper, s->conf, getuid(), getgid());
}

static inline void
supervised_close(struct supervised *s)
{
	keeper_free(s->p.keeper);
	secret_free(s->p.vouchers);
	lender_free(s->p.lender);
	dialers_free(s->p.dialers);
	ppprun_free(s->p.ppp);
	power_free(s->p.power);
	drop_jobs();
	for (int i = 0; i < ROLES; i++) {
		link_free(s->child[i].link);
		close(s->there[i]);
	}
}

#endif
