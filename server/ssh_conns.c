#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../auth/throttle.h"
#include "base/log.h"
#include "base/mem.h"
#include "listen.h"
#include "ssh_conn_internal.h"
#include "ssh_login.h"

#define PASSES_MAX 4		/* runs of one connection in one turn */

/* While places are short, younger connections are left in peace. */
#define EVICT_SILENT_MS 100	/* that have not said a word */
#define EVICT_MS 500
#define EVICT_RELAYED_MS 3000	/* by another who came through a relay */

void
ssh_conn_wake(struct ssh_conn *c)
{
	struct ssh_conns *all = c->all;

	if (c->queued || c->state == CONN_DEAD)
		return;
	c->queued = true;
	c->next_run = NULL;
	*all->run_last = c;
	all->run_last = &c->next_run;
}

static void
run_queue(struct ssh_conns *all)
{
	struct ssh_conn *c, *list = all->run_first;

	all->run_first = NULL;
	all->run_last = &all->run_first;
	while ((c = list) != NULL) {
		list = c->next_run;
		c->queued = false;
		if (c->state != CONN_DEAD)
			ssh_conn_run(c);
	}
}

static void
free_dead(struct ssh_conns *all)
{
	struct ssh_conn **at = &all->first, *c;

	while ((c = *at) != NULL) {
		if (c->state != CONN_DEAD || c->queued) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		ssh_conn_free(c);
	}
}

static void
on_turn(void *arg)
{
	struct ssh_conns *all = arg;

	if (all->run_first == NULL)
		return;
	for (int i = 0; i < PASSES_MAX && all->run_first != NULL; i++)
		run_queue(all);
	if (all->run_first != NULL)
		timer_set(all->soon, 0);
	free_dead(all);
}

static void
on_soon(void *arg)
{
	(void)arg;		/* the turn that follows does it */
}

static void
on_tick(void *arg)
{
	struct ssh_conns *all = arg;

	for (struct ssh_conn *c = all->first; c != NULL; c = c->next) {
		if (c->state == CONN_OPEN && c->why == NULL)
			ssh_conn_check_alive(c);
	}
	if (all->nopen > 0)
		timer_set(all->tick, all->conf->ssh.keepalive_ms);
}

struct ssh_conns *
ssh_conns_new(struct loop *loop, struct feed *feed, struct ssh_gate *gate)
{
	struct ssh_conns *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->feed = feed;
	all->gate = gate;
	all->run_last = &all->run_first;
	all->last_id = (uint64_t)(uint32_t)(stamp_now().utc_us / 1000 | 1) <<
	    32;
	feed_auth(feed, &(struct feed_auth){ .what = AUTH_DOOR,
	    .login = all->last_id });
	all->throttle = throttle_new(&throttle_defaults);
	all->soon = timer_new(loop, on_soon, all);
	all->tick = timer_new(loop, on_tick, all);
	loop_each_turn(loop, on_turn, all);
	return all;
}

void
ssh_conns_free(struct ssh_conns *all)
{
	for (struct ssh_conn *c = all->first; c != NULL; c = c->next) {
		if (c->state != CONN_DEAD) {
			ssh_conn_end(c, "shutting down", true);
			ssh_conn_finish(c);
		}
		c->queued = false;
	}
	free_dead(all);
	timer_free(all->soon);
	timer_free(all->tick);
	throttle_free(all->throttle);
	key_free(all->pass);
	ssh_auth_free(all->auth);
	free(all);
}

size_t
ssh_conns_count(const struct ssh_conns *all)
{
	return all->n;
}

void
ssh_conns_stop(struct ssh_conns *all, const char *text)
{
	all->stopping = true;
	for (struct ssh_conn *c = all->first; c != NULL; c = c->next)
		ssh_conn_leave(c, text);
}

void
ssh_conns_configure(struct ssh_conns *all, const struct config *conf,
    ssh_bind bind)
{
	struct throttle_conf t = throttle_defaults;
	int64_t now = stamp_now().utc_us;

	all->conf = conf;
	all->bind = bind;
	t.total = conf->ssh.max_unauth;
	t.per_source = conf->ssh.max_unauth_source;
	throttle_configure(all->throttle, &t);
	ssh_auth_free(all->auth);
	all->auth = ssh_auth_new(conf);
	ssh_auth_granted(all->auth, all->granted, all->ngranted);
	for (struct ssh_conn *c = all->first; c != NULL; c = c->next) {
		if (c->state == CONN_OPEN &&
		    !ssh_login_again(c->login, all->auth, now))
			ssh_conn_leave(c, "your access was withdrawn");
	}
}

void
ssh_conns_granted(struct ssh_conns *all, const struct feed_granted *list,
    size_t n)
{
	all->ngranted = n < FEED_GRANTS_MAX ? n : FEED_GRANTS_MAX;
	memcpy(all->granted, list, all->ngranted * sizeof(*list));
	if (all->auth != NULL)
		ssh_auth_granted(all->auth, all->granted, all->ngranted);
}

/* How far it has come: the less, the sooner it makes room. */
static int
progress(const struct ssh_conn *c)
{
	if (ssh_login_has_tried(c->login))
		return 2;
	return c->socket.in_bytes > 0 ? 1 : 0;
}

static bool
may_evict(const struct ssh_conn *c, bool relayed)
{
	int64_t age = mono_ms(c->since, mono_now());

	/*
	 * The way to a relay and back may be long, and who is next can wait
	 * there: many at a time must not drive out each other.
	 */
	if (relayed)
		return c->relayed && age >= EVICT_RELAYED_MS;
	return age >= (progress(c) == 0 ? EVICT_SILENT_MS : EVICT_MS);
}

/*
 * All places for connections without a login are taken: the one that has
 * come least far makes room, of those the oldest.  One that has shown a good
 * key stays: there somebody types a passphrase.  Who came through a relay
 * drives away none but such.
 */
static bool
evict(struct ssh_conns *all, bool relayed)
{
	struct ssh_conn *worst = NULL;

	for (struct ssh_conn *c = all->first; c != NULL; c = c->next) {
		if (c->state != CONN_LOGIN || c->why != NULL ||
		    ssh_login_is_near(c->login) || !may_evict(c, relayed))
			continue;
		/* The list has the newest first. */
		if (worst == NULL || progress(c) <= progress(worst))
			worst = c;
	}
	if (worst == NULL)
		return false;
	worst->outcome = THROTTLE_EXCUSED;
	ssh_conn_end(worst, "made room for another", false);
	/* Its place is free from now on. */
	ssh_conn_leave_throttle(worst, THROTTLE_EXCUSED);
	return true;
}

static unsigned
port_of(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		return ntohs(in.sin_port);
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		return ntohs(in6.sin6_port);
	}
	return 0;
}

/* False: no room just now; fd is the caller's still. */
static bool
admit(struct ssh_conns *all, int fd, const struct ssh_conns_peer *peer)
{
	bool relayed = peer->via != NULL;
	const char *source = relayed ? NULL : peer->from;
	enum throttle_verdict verdict;

	if (all->stopping) {
		close(fd);
		return true;
	}
	verdict = throttle_admit(all->throttle, source, mono_now());
	if (verdict == THROTTLE_FULL && evict(all, relayed))
		verdict = throttle_admit(all->throttle, source, mono_now());
	if (verdict == THROTTLE_FULL)
		return false;
	if (verdict != THROTTLE_OK) {
		log_debug("%s: turned away: %s", peer->from,
		    throttle_text(verdict));
		ssh_conns_tell_penalty(all, peer->from,
		    throttle_text(verdict));
		close(fd);
		return true;
	}
	if (!ssh_conn_new(all, fd, peer))
		throttle_done(all->throttle, source, THROTTLE_EXCUSED,
		    mono_now());
	return true;
}

bool
ssh_conns_add(struct ssh_conns *all, int fd, const struct sockaddr *sa)
{
	char from[LISTEN_TEXT];

	return admit(all, fd, &(struct ssh_conns_peer){
	    listen_address_text(from, sa), port_of(sa), NULL });
}

bool
ssh_conns_add_relayed(struct ssh_conns *all, int fd,
    const struct ssh_conns_peer *peer)
{
	return admit(all, fd, peer);
}

void
ssh_conns_leave(struct ssh_conns *all, const char *via, const char *text)
{
	for (struct ssh_conn *c = all->first; c != NULL; c = c->next) {
		if (c->state != CONN_DEAD && strcmp(c->via, via) == 0)
			ssh_conn_leave(c, text);
	}
}

void
ssh_conns_pass(struct ssh_conns *all, const char *via, const char *base64)
{
	char *line = xasprintf("ssh-ed25519 %s", base64), err[KEY_ERROR];

	ssh_conns_no_pass(all);
	if (key_parse(line, &all->pass, err, sizeof(err)) != 1) {
		log_error("drill: its own key: %s", err);
		all->pass = NULL;
	}
	snprintf(all->pass_via, sizeof(all->pass_via), "%s", via);
	free(line);
}

void
ssh_conns_no_pass(struct ssh_conns *all)
{
	key_free(all->pass);
	all->pass = NULL;
	for (struct ssh_conn *c = all->first; c != NULL; c = c->next) {
		if (c->state != CONN_DEAD && ssh_login_is_drill(c->login))
			ssh_conn_end(c, "the drill is over", true);
	}
}

size_t
ssh_conns_count_via(const struct ssh_conns *all, const char *via)
{
	size_t n = 0;

	for (struct ssh_conn *c = all->first; c != NULL; c = c->next)
		n += c->state != CONN_DEAD && strcmp(c->via, via) == 0;
	return n;
}

void
ssh_conns_lost(struct ssh_conns *all, const char *via, bool silent)
{
	for (struct ssh_conn *c = all->first; c != NULL; c = c->next) {
		if (c->state == CONN_DEAD || strcmp(c->via, via) != 0)
			continue;
		c->silent = c->silent || silent;
		ssh_conn_end(c, "the relay's connection is gone", false);
	}
}
