/*
 * What happens when an attempt, or a standing connection, fails; and when the
 * next attempt is made.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/os.h"
#include "relay_internal.h"

#define WORKED_MS 60000		/* a forward that stood so long did work */
#define REFUSED_MS 15000	/* a stale listener may go any moment */
#define REFUSED_FOR_MS 180000
#define REFUSED_OVER_MS 600000	/* none for so long: that was another one */

/* Somewhere between none and all of it, so that a fleet spreads. */
static int64_t
jittered(int64_t ms)
{
	uint32_t dice;

	os_random(&dice, sizeof(dice));
	return (int64_t)((double)ms * dice / UINT32_MAX);
}

static int64_t
wait_for_refused(struct relay *r)
{
	int64_t soon = REFUSED_MS - 1000 + jittered(2000), wait;
	struct mono now = mono_now();

	if (!r->is_refused ||
	    mono_ms(r->refused_at, now) > REFUSED_OVER_MS) {
		r->is_refused = true;
		r->refused_told = false;
		r->refused_since = now;
	}
	r->refused_at = now;
	if (mono_ms(r->refused_since, now) < REFUSED_FOR_MS)
		return soon;
	if (!r->refused_told) {
		r->refused_told = true;
		log_error("%s: %s", r->via, r->why);
		relay_event(r, "relay-refused", "", r->why);
	}
	/* The first figures are smaller than what has been of no use. */
	wait = jittered(backoff_next(&r->backoff));
	return wait > soon ? wait : soon;
}

static int64_t
next_wait(struct relay *r)
{
	/* What it waited for has come, or what it used has gone. */
	if (r->hurry) {
		backoff_reset(&r->backoff);
		return 0;
	}
	if (r->forwarded && mono_ms(r->forwarded_at, mono_now()) >= WORKED_MS)
		backoff_reset(&r->backoff);
	if (r->failure == RELAY_REFUSED)
		return wait_for_refused(r);
	return jittered(backoff_next(&r->backoff));
}

static const enum relay_step failed_steps[] = {
	[RELAY_RESOLVING] = RELAY_STEP_NAME,
	[RELAY_CONNECTING] = RELAY_STEP_CONNECT,
	[RELAY_HANDSHAKE] = RELAY_STEP_KEX,
	[RELAY_AUTHENTICATING] = RELAY_STEP_LOGIN,
	[RELAY_FORWARDING] = RELAY_STEP_FORWARD,
	[RELAY_PROVING] = RELAY_STEP_TEST,
	[RELAY_UP] = RELAY_STEP_TEST,
};

static void
tell_failure(struct relay *r)
{
	bool news = r->told != r->failure;
	char failure[48];

	if (r->state >= RELAY_RESOLVING && r->state <= RELAY_UP)
		relay_step_taken(r, r->failure == RELAY_HOST_KEY ?
		    RELAY_STEP_HOST_KEY : failed_steps[r->state], false, "%s",
		    r->why);
	snprintf(failure, sizeof(failure), " failure=%s",
	    relay_failure_text(r->failure));
	if (r->was_up)
		relay_event(r, "relay-down", failure, r->why);
	else if (news)
		relay_event(r, "relay-failed", failure, r->why);
	if (r->was_up || news)
		log_warn("%s: %s", r->via, r->why);
	else
		log_debug("%s: %s", r->via, r->why);
	r->told = r->failure;
}

/* What was sent lately need not have come through then. */
static bool
was_silent(const struct relay *r)
{
	return r->failure == RELAY_SILENT || r->failure == RELAY_WAY_GONE ||
	    r->missed > 0;
}

/* What takes the connection may be no SSH server: try the other port. */
static bool
no_ssh_there(const struct relay *r)
{
	return r->failure == RELAY_KEX || (r->failure == RELAY_SILENT &&
	    r->state == RELAY_HANDSHAKE);
}

void
relay_fail_now(struct relay *r)
{
	int64_t wait;

	r->failure = r->failing;
	snprintf(r->error, sizeof(r->error), "%s", r->why);
	tell_failure(r);
	ssh_conns_lost(r->world->conns, r->via, was_silent(r));
	if (no_ssh_there(r))
		r->other_port = !r->other_port;
	r->other_way = r->failure != RELAY_WAY_GONE &&
	    r->by_ppp != r->conf->always;
	wait = next_wait(r);
	if (r->was_up)
		r->attempts = 0;
	relay_stop_attempt(r, r->failure != RELAY_SILENT);
	r->failing = RELAY_OK;
	r->next_at = mono_after(mono_now(), wait);
	relay_change_state(r, RELAY_WAITING);
	relay_tell_tested(r, false);
	if (!relay_is_wanted(r))
		relay_change_state(r, RELAY_OFF);
}
