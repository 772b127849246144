#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "relay_chan.h"
#include "relay_drill.h"
#include "relay_key.h"
#include "relay_probe.h"

#define LOGON_MS 60000		/* from connected to listening */
#define LEAVING_MS 2000
#define KEY_MS 5000		/* for the supervisor to open our key */
#define BACKOFF_MIN_MS 2000
#define BACKOFF_MAX_MS 300000
#define PROBE_EVERY_MS 300000
#define PROBE_BUSY_MS 10000
#define STEPS_MAX 16		/* in one run */

void
relay_change_state(struct relay *r, enum relay_state state)
{
	log_debug("%s: %s -> %s", r->via, relay_state_text(r->state),
	    relay_state_text(state));
	r->state = state;
	r->since_us = stamp_now().utc_us;
	timer_stop(r->clock);
	switch (state) {
	case RELAY_WAITING:
		timer_set(r->clock, mono_ms(mono_now(), r->next_at));
		break;
	case RELAY_LEAVING:
		timer_set(r->clock, LEAVING_MS);
		break;
	case RELAY_HANDSHAKE:
	case RELAY_AUTHENTICATING:
	case RELAY_FORWARDING:
		/* One time for all three. */
		timer_set(r->clock, LOGON_MS - mono_ms(r->heard_at,
		    mono_now()));
		break;
	case RELAY_UP:
		r->told = RELAY_OK;
		r->failure = RELAY_OK;
		break;
	case RELAY_OFF:
		/* That it failed is no trouble any more. */
		if (r->told != RELAY_OK)
			relay_event(r, "relay-down", "", "no longer wanted");
		r->failure = RELAY_OK;
		r->told = RELAY_OK;
		r->why[0] = '\0';
		break;
	case RELAY_RESOLVING:
	case RELAY_CONNECTING:
	case RELAY_PROVING:
		break;
	}
	relay_wake(r);
	r->ops->changed(r->arg, r);
}

void
relay_wake(struct relay *r)
{
	r->awake = true;
	r->ops->wake(r->arg);
}

bool
relay_is_awake(const struct relay *r)
{
	return r->awake;
}

void
relay_event(struct relay *r, const char *kind, const char *values,
    const char *why)
{
	char text[RELAY_TEXT + 640];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "relay=%s%s why=\"",
	    r->conf->name, values);
	for (; *why != '\0' && n + 2 < sizeof(text); why++)
		text[n++] = *why == '"' ? '\'' : *why;
	text[n++] = '"';
	text[n] = '\0';
	r->ops->event(r->arg, kind, text);
}

void
relay_fail(struct relay *r, enum relay_failure failure, const char *fmt, ...)
{
	va_list ap;

	if (r->failing != RELAY_OK)
		return;
	r->failing = failure;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	relay_wake(r);
}

void
relay_step_taken(struct relay *r, enum relay_step step, bool good,
    const char *fmt, ...)
{
	struct relay_step_done *d = &r->steps[step];
	struct mono now = mono_now();
	va_list ap;

	d->done = true;
	d->good = good;
	d->ms = mono_ms(r->step_at, now);
	r->step_at = now;
	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
	r->ops->step(r->arg, r, step);
}

/* What is wanted. */

bool
relay_is_wanted(const struct relay *r)
{
	enum way way = r->world->way.way;

	if (r->removed)
		return false;
	if (r->conf->ppp_only && way != WAY_PPP)
		return false;
	return r->conf->always || way != WAY_DOWN || r->testing;
}

static bool
is_connected(const struct relay *r)
{
	return r->state >= RELAY_RESOLVING;
}

/*
 * While there are two ways, both are tried in turn; first the one that the
 * relay was set up for: when a relay is activated, the uplink is down.
 */
static bool
goes_by_ppp(const struct relay *r)
{
	if (r->world->way.way != WAY_PPP)
		return false;
	return r->conf->ppp_only || r->conf->always == r->other_way;
}

/* An attempt. */

void
relay_stop_attempt(struct relay *r, bool polite)
{
	relay_call_free(r->call);
	r->call = NULL;
	relay_probe_free(r->probe);
	r->probe = NULL;
	relay_drill_lost(r);
	timer_stop(r->probe_again);
	timer_stop(r->alive);
	relay_session_close(r, polite);
	ssh_key_free(r->identity);
	r->identity = NULL;
	r->wants_key = false;
	for (size_t i = 0; i < r->nlistens; i++) {
		r->listens[i].bound = 0;
		r->listens[i].tested = RELAY_UNTESTED;
	}
	r->address[0] = '\0';
	r->forwarded = r->was_up = false;
}

static void
on_resolved(void *arg, const char *addresses)
{
	struct relay *r = arg;

	relay_step_taken(r, RELAY_STEP_NAME, true, "%s: %s", r->conf->host,
	    addresses);
	if (r->by_ppp)
		r->world->route(r->world->route_arg, addresses);
	relay_change_state(r, RELAY_CONNECTING);
}

static void
on_connected(void *arg, int fd, const char *address, const char *unproven)
{
	struct relay *r = arg;

	snprintf(r->address, sizeof(r->address), "%s", address);
	relay_step_taken(r, RELAY_STEP_CONNECT, true, "%s%s", address,
	    r->by_ppp ? " over PPP" : "");
	relay_call_free(r->call);
	r->call = NULL;
	r->heard_at = mono_now();
	if (fd == -1)
		relay_fail(r, RELAY_CONNECT, "not over PPP: %s", unproven);
	else if (relay_session_open(r, fd))
		relay_change_state(r, RELAY_HANDSHAKE);
}

static void
on_call_failed(void *arg, const char *why)
{
	struct relay *r = arg;

	relay_fail(r, r->state == RELAY_RESOLVING ? RELAY_NAME :
	    RELAY_CONNECT, "%s", why);
}

static const struct relay_call_ops call_ops = {
	.resolved = on_resolved,
	.connected = on_connected,
	.failed = on_call_failed,
};

static void
call(struct relay *r)
{
	const struct relay_call_to to = { .relay = r->conf->name,
	    .second = r->other_port, .ppp = r->by_ppp };

	r->call = relay_call_new(r->world->calls, &to, &call_ops, r);
}

/* The host and port of each listen, in the words of the protocol. */
static void
read_listens(struct relay *r)
{
	size_t n = 0;

	memset(r->listens, 0, sizeof(r->listens));
	for (size_t i = 0; i < r->conf->nlisten && n < RELAY_LISTENS_MAX;
	    i++) {
		struct relay_listen *l = &r->listens[n];

		if (config_listen_split(r->conf->listen[i], l->host,
		    sizeof(l->host), &l->port) == -1)
			continue;
		snprintf(l->asked, sizeof(l->asked), "%s",
		    r->conf->listen[i]);
		if (strcmp(l->host, "*") == 0)
			l->host[0] = '\0';
		n++;
	}
	r->nlistens = n;
}

static void
use_key(struct relay *r)
{
	char why[RELAY_KEY_WHY];

	r->wants_key = false;
	r->identity = relay_key_load(r->world->keys, r->conf->identity, why,
	    sizeof(why));
	if (r->identity == NULL)
		relay_fail(r, RELAY_IDENTITY, "%s", why);
	else
		call(r);
}

void
relay_key_came(struct relay *r, const char *path)
{
	if (!r->wants_key || strcmp(path, r->conf->identity) != 0)
		return;
	timer_stop(r->clock);
	use_key(r);
}

static void
begin(struct relay *r)
{
	r->attempts++;
	r->failing = RELAY_OK;
	r->again = false;
	r->hurry = false;
	r->by_ppp = goes_by_ppp(r);
	snprintf(r->local, sizeof(r->local), "%s",
	    r->by_ppp ? r->world->way.local : "");
	memset(r->steps, 0, sizeof(r->steps));
	r->step_at = mono_now();
	r->fingerprint[0] = '\0';
	read_listens(r);
	relay_change_state(r, RELAY_RESOLVING);
	if (r->world->want_key == NULL) {
		use_key(r);
		return;
	}
	r->wants_key = true;
	timer_set(r->clock, KEY_MS);
	r->world->want_key(r->world->want_arg, r->conf->identity);
}

void
relay_logged_on(struct relay *r)
{
	relay_change_state(r, RELAY_AUTHENTICATING);
}

void
relay_logged_in(struct relay *r)
{
	relay_change_state(r, RELAY_FORWARDING);
}

/* Standing. */

static void
probe_next(struct relay *r)
{
	static const struct relay_probe_conf conf = { .done = relay_probed,
	    .limit_ms = RELAY_PROBE_MS };

	if (r->probe == NULL && r->proving < r->nlistens)
		r->probe = relay_probe_new(r, &r->listens[r->proving], &conf);
}

static void
start_probing(struct relay *r)
{
	timer_stop(r->probe_again);
	r->proving = 0;
	r->step_at = mono_now();
	probe_next(r);
	relay_wake(r);
}

static void
on_probe_again(void *arg)
{
	struct relay *r = arg;

	if (r->state != RELAY_UP || r->probe != NULL)
		return;
	/* Not beside another request. */
	if (r->missed > 0)
		timer_set(r->probe_again, PROBE_BUSY_MS);
	else
		start_probing(r);
}

static void
tell_forward(struct relay *r, const struct relay_listen *l)
{
	char values[RELAY_TEXT];

	log_info("%s listens for us on %s, port %u", r->via, l->asked,
	    l->bound);
	snprintf(values, sizeof(values), " listen=%s port=%u address=%s",
	    l->asked, l->bound, r->address);
	relay_event(r, "relay-up", values, "the relay listens for us");
}

/* A forward that leads nowhere is none: this is said when all were tried. */
static void
tell_up(struct relay *r)
{
	r->was_up = true;
	for (size_t i = 0; i < r->nlistens; i++)
		tell_forward(r, &r->listens[i]);
	relay_change_state(r, RELAY_UP);
}

void
relay_is_forwarded(struct relay *r)
{
	r->forwarded = true;
	r->forwarded_at = mono_now();
	r->is_refused = r->refused_told = false;
	relay_step_taken(r, RELAY_STEP_FORWARD, true, "%s%s%s",
	    r->listens[0].asked, r->nlistens > 1 ? " and more" : "",
	    r->listens[0].port != 0 ? "" : " (any port)");
	r->missed = 0;
	timer_set(r->alive, r->conf->keepalive_ms);
	relay_change_state(r, RELAY_PROVING);
	start_probing(r);
}

void
relay_tell_tested(struct relay *r, bool good)
{
	r->testing = false;
	r->ops->tested(r->arg, r, good);
}

/* All listens were tried. */
static void
probing_done(struct relay *r, bool busy)
{
	const char *text = "our own host key was read through the relay";

	if (busy)
		text = "busy: tried again later";
	for (size_t i = 0; i < r->nlistens; i++) {
		if (r->listens[i].tested == RELAY_NOT_PERMITTED)
			text = "not permitted by the relay (permitopen of our "
			    "key does not name it), which is no fault";
	}
	relay_step_taken(r, RELAY_STEP_TEST, true, "%s", text);
	timer_set(r->probe_again, busy ? PROBE_BUSY_MS : PROBE_EVERY_MS);
	if (r->state == RELAY_PROVING)
		tell_up(r);
	else
		r->ops->changed(r->arg, r);
	relay_tell_tested(r, true);
	if (!relay_is_wanted(r))
		relay_follow(r);
}

void
relay_probed(struct relay *r, enum relay_probe_result result, const char *why)
{
	struct relay_listen *l = &r->listens[r->proving];

	relay_probe_free(r->probe);
	r->probe = NULL;
	switch (result) {
	case RELAY_PROBE_GOOD:
		l->tested = RELAY_TESTED;
		l->tested_us = stamp_now().utc_us;
		break;
	case RELAY_PROBE_NOT_PERMITTED:
		l->tested = RELAY_NOT_PERMITTED;
		l->tested_us = stamp_now().utc_us;
		break;
	case RELAY_PROBE_BUSY:
		break;
	case RELAY_PROBE_DEAD:
		relay_fail(r, RELAY_SELF_TEST, "%s leads nowhere: %s",
		    l->asked, why);
		return;
	}
	if (result != RELAY_PROBE_BUSY && ++r->proving < r->nlistens)
		probe_next(r);
	else
		probing_done(r, result == RELAY_PROBE_BUSY);
}

void
relay_was_heard(struct relay *r)
{
	if (r->state < RELAY_PROVING)
		return;
	r->heard_at = mono_now();
	r->missed = 0;
}

static void
on_alive(void *arg)
{
	struct relay *r = arg;
	int64_t every = r->conf->keepalive_ms;
	int64_t left = every - mono_ms(r->heard_at, mono_now());

	if (r->session == NULL || r->failing != RELAY_OK)
		return;
	if (r->missed == 0 && left > 0) {
		timer_set(r->alive, left);
	} else if (r->missed >= r->conf->keepalive_count) {
		relay_fail(r, RELAY_SILENT, "nothing heard for %" PRId64 " s",
		    mono_ms(r->heard_at, mono_now()) / 1000);
	} else {
		r->missed++;
		relay_session_keepalive(r);
		timer_set(r->alive, every);
		relay_wake(r);
	}
}

/* Leaving. */

static void
leave(struct relay *r)
{
	if (r->state == RELAY_LEAVING)
		return;
	if (r->state < RELAY_PROVING) {
		relay_stop_attempt(r, true);
		r->failing = RELAY_OK;
		relay_change_state(r, RELAY_OFF);
		return;
	}
	if (r->was_up)
		relay_event(r, "relay-down", "", "no longer wanted");
	log_info("%s: taking leave", r->via);
	timer_stop(r->probe_again);
	relay_probe_free(r->probe);
	r->probe = NULL;
	relay_drill_lost(r);
	ssh_conns_leave(r->world->conns, r->via, "this way in is closed");
	relay_change_state(r, RELAY_LEAVING);
}

/* Whoever waits for a test need not wait for the end of his patience. */
static void
tell_untested(struct relay *r)
{
	if (!r->testing)
		return;
	relay_step_taken(r, RELAY_STEP_TEST, false,
	    "not done: the relay is no longer wanted, or the link is down");
	relay_tell_tested(r, false);
}

static void
left(struct relay *r)
{
	bool again = r->again && !r->removed;

	relay_stop_attempt(r, true);
	r->failing = RELAY_OK;
	relay_change_state(r, RELAY_OFF);
	if (again && relay_is_wanted(r))
		begin(r);
	else
		tell_untested(r);
}

static void
on_clock(void *arg)
{
	struct relay *r = arg;

	switch (r->state) {
	case RELAY_WAITING:
		if (relay_is_wanted(r))
			begin(r);
		else
			relay_change_state(r, RELAY_OFF);
		break;
	case RELAY_HANDSHAKE:
	case RELAY_AUTHENTICATING:
	case RELAY_FORWARDING:
		relay_fail(r, RELAY_SILENT, "no end of the login within %d s",
		    LOGON_MS / 1000);
		break;
	case RELAY_LEAVING:
		left(r);
		break;
	case RELAY_RESOLVING:
		/* Not answered: then with what there is. */
		relay_key_came(r, r->conf->identity);
		break;
	case RELAY_OFF:
	case RELAY_CONNECTING:
	case RELAY_PROVING:
	case RELAY_UP:
		break;
	}
}

/* Running it. */

void
relay_adopt(struct relay *r, struct relay_chan *c)
{
	r->chans = xreallocarray(r->chans, r->nchans + 1, sizeof(*r->chans));
	r->chans[r->nchans++] = c;
	relay_wake(r);
}

static void
run_channels(struct relay *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nchans; i++)
		relay_chan_run(r->chans[i]);
	for (size_t i = 0; i < r->nchans; i++) {
		if (relay_chan_is_over(r->chans[i]))
			relay_chan_free(r->chans[i], true);
		else
			r->chans[n++] = r->chans[i];
	}
	r->nchans = n;
}

static void
rewatch(struct relay *r)
{
	short events = POLLIN;

	if (r->session == NULL)
		return;
	if ((ssh_get_status(r->session) & SSH_WRITE_PENDING) ||
	    (r->state == RELAY_HANDSHAKE &&
	    (ssh_get_poll_flags(r->session) & SSH_WRITE_PENDING)))
		events |= POLLOUT;
	for (size_t i = 0; i < r->nchans; i++) {
		if (relay_chan_wants_out(r->chans[i]))
			events |= POLLOUT;
	}
	if ((r->probe != NULL && relay_probe_wants_out(r->probe)) ||
	    relay_drill_wants_out(r))
		events |= POLLOUT;
	watch_set(r->watch, events);
}

static bool
has_left(const struct relay *r)
{
	return r->state == RELAY_LEAVING && r->nchans == 0;
}

void
relay_run(struct relay *r)
{
	r->awake = false;
	relay_session_check(r);
	for (int i = 0; i < STEPS_MAX && relay_session_step(r); i++)
		continue;
	if (r->session != NULL && r->failing == RELAY_OK) {
		run_channels(r);
		if (r->probe != NULL && r->failing == RELAY_OK)
			relay_probe_run(r->probe);
		if (r->failing == RELAY_OK)
			relay_drill_run(r);
		relay_session_check(r);
	}
	if (r->failing != RELAY_OK && r->state == RELAY_LEAVING)
		left(r);
	else if (r->failing != RELAY_OK)
		relay_fail_now(r);
	else if (has_left(r))
		left(r);
	else
		rewatch(r);
}

uint64_t
relay_bytes(const struct relay *r)
{
	return r->session == NULL ? 0 :
	    r->socket.in_bytes + r->socket.out_bytes;
}

/* What others ask. */

struct relay *
relay_new(struct relay_world *world, const struct config_relay *conf,
    const struct relay_ops *ops, void *arg)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	r->world = world;
	r->conf = conf;
	r->ops = ops;
	r->arg = arg;
	r->fd = -1;
	r->since_us = stamp_now().utc_us;
	r->backoff = (struct backoff){ .min_ms = BACKOFF_MIN_MS,
	    .max_ms = BACKOFF_MAX_MS };
	snprintf(r->via, sizeof(r->via), "relay %s", conf->name);
	r->clock = timer_new(world->loop, on_clock, r);
	r->alive = timer_new(world->loop, on_alive, r);
	r->probe_again = timer_new(world->loop, on_probe_again, r);
	return r;
}

void
relay_free(struct relay *r)
{
	relay_stop_attempt(r, true);
	timer_free(r->clock);
	timer_free(r->alive);
	timer_free(r->probe_again);
	free(r);
}

void
relay_follow(struct relay *r)
{
	const struct relay_way *way = &r->world->way;

	if (!relay_is_wanted(r)) {
		if (r->state == RELAY_WAITING)
			relay_change_state(r, RELAY_OFF);
		else if (is_connected(r))
			leave(r);
		if (r->state == RELAY_OFF)
			tell_untested(r);
		return;
	}
	if (is_connected(r) && r->by_ppp && (way->way != WAY_PPP ||
	    strcmp(way->local, r->local) != 0)) {
		relay_fail(r, RELAY_WAY_GONE, "the link that it used is gone");
		r->hurry = r->failing == RELAY_WAY_GONE;
	}
	if (is_connected(r)) {
		r->hurry = r->hurry || r->state < RELAY_PROVING;
		r->again = r->state == RELAY_LEAVING;
		return;
	}
	backoff_reset(&r->backoff);
	r->other_way = false;
	r->attempts = 0;
	begin(r);
}

static bool
same_lists(char *const *a, size_t na, char *const *b, size_t nb)
{
	bool same = na == nb;

	for (size_t i = 0; same && i < na; i++)
		same = strcmp(a[i], b[i]) == 0;
	return same;
}

/* Would it connect as it did? */
static bool
same_conf(const struct config_relay *a, const struct config_relay *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port &&
	    a->second_port == b->second_port &&
	    strcmp(a->user, b->user) == 0 &&
	    strcmp(a->identity, b->identity) == 0 &&
	    a->ppp_only == b->ppp_only &&
	    same_lists(a->host_keys, a->nhost_keys, b->host_keys,
	    b->nhost_keys) &&
	    same_lists(a->listen, a->nlisten, b->listen, b->nlisten);
}

void
relay_configure(struct relay *r, const struct config_relay *conf)
{
	bool same = same_conf(r->conf, conf);

	r->conf = conf;
	if (!same && is_connected(r)) {
		leave(r);
		r->again = r->state == RELAY_LEAVING;
	}
	relay_follow(r);
}

void
relay_remove(struct relay *r)
{
	r->removed = true;
	relay_follow(r);
}

bool
relay_is_gone(const struct relay *r)
{
	return r->removed && r->state == RELAY_OFF;
}

const char *
relay_test(struct relay *r)
{
	if (r->conf->ppp_only && r->world->way.way != WAY_PPP)
		return "it goes over PPP only, and that is down (link up)";
	if (r->state == RELAY_LEAVING)
		return "it is taking leave, try again";
	r->testing = true;
	if (r->state == RELAY_UP && r->probe == NULL)
		start_probing(r);
	else if (!is_connected(r))
		relay_follow(r);
	return NULL;
}
