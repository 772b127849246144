/*
 * What a relay's status is made of: words, and a view of it.
 */
#include <string.h>

#include "relay_internal.h"

static const char *const states[] = {
	[RELAY_OFF] = "off",
	[RELAY_WAITING] = "waiting",
	[RELAY_RESOLVING] = "resolving",
	[RELAY_CONNECTING] = "connecting",
	[RELAY_HANDSHAKE] = "handshake",
	[RELAY_AUTHENTICATING] = "authenticating",
	[RELAY_FORWARDING] = "forwarding",
	[RELAY_PROVING] = "proving",
	[RELAY_UP] = "up",
	[RELAY_LEAVING] = "leaving",
};

static const char *const way_states[] = {
	[WAY_RELAY_OFF] = "off",
	[WAY_RELAY_TRYING] = "trying",
	[WAY_RELAY_FORWARDED] = "forwarded",
	[WAY_RELAY_PROVEN] = "proven",
	[WAY_RELAY_FAILED] = "failed",
};

static const char *const failures[] = {
	[RELAY_OK] = "",
	[RELAY_NAME] = "name",
	[RELAY_CONNECT] = "connect",
	[RELAY_KEX] = "handshake",
	[RELAY_HOST_KEY] = "host-key",
	[RELAY_IDENTITY] = "identity",
	[RELAY_LOGIN] = "login",
	[RELAY_REFUSED] = "forward-refused",
	[RELAY_SELF_TEST] = "self-test",
	[RELAY_SILENT] = "silent",
	[RELAY_LOST] = "lost",
	[RELAY_ABUSE] = "abuse",
	[RELAY_WAY_GONE] = "link-gone",
};

static const char *const steps[] = {
	[RELAY_STEP_NAME] = "resolve",
	[RELAY_STEP_CONNECT] = "connect",
	[RELAY_STEP_KEX] = "key exchange",
	[RELAY_STEP_HOST_KEY] = "host key",
	[RELAY_STEP_LOGIN] = "login",
	[RELAY_STEP_FORWARD] = "forward",
	[RELAY_STEP_TEST] = "self-test",
};

static const char *const tested[] = {
	[RELAY_UNTESTED] = "untested",
	[RELAY_TESTED] = "ok",
	[RELAY_NOT_PERMITTED] = "not permitted",
};

const char *
relay_state_text(enum relay_state s)
{
	return states[s];
}

const char *
relay_way_text(enum way_relay s)
{
	return way_states[s];
}

const char *
relay_failure_text(enum relay_failure f)
{
	return failures[f];
}

const char *
relay_step_text(enum relay_step s)
{
	return steps[s];
}

const char *
relay_tested_text(enum relay_tested t)
{
	return tested[t];
}

const struct config_relay *
relay_conf(const struct relay *r)
{
	return r->conf;
}

enum relay_state
relay_state(const struct relay *r)
{
	return r->state;
}

enum relay_failure
relay_failure(const struct relay *r)
{
	return r->failure;
}

static bool
is_proven(const struct relay *r)
{
	for (size_t i = 0; i < r->nlistens; i++) {
		if (r->listens[i].tested != RELAY_TESTED)
			return false;
	}
	return true;
}

enum way_relay
relay_way_state(const struct relay *r)
{
	switch (r->state) {
	case RELAY_OFF:
	case RELAY_LEAVING:
		return WAY_RELAY_OFF;
	case RELAY_WAITING:
		return WAY_RELAY_FAILED;
	case RELAY_RESOLVING:
	case RELAY_CONNECTING:
	case RELAY_HANDSHAKE:
	case RELAY_AUTHENTICATING:
	case RELAY_FORWARDING:
	/* That it listens is not yet that it leads here. */
	case RELAY_PROVING:
		return WAY_RELAY_TRYING;
	case RELAY_UP:
		return is_proven(r) ? WAY_RELAY_PROVEN : WAY_RELAY_FORWARDED;
	}
	return WAY_RELAY_OFF;
}

void
relay_view(const struct relay *r, struct relay_view *v)
{
	int64_t ms = mono_ms(mono_now(), r->next_at);

	*v = (struct relay_view){
		.since_us = r->since_us,
		.attempts = r->attempts,
		.text = r->failure != RELAY_OK ? r->why : "",
		.error = r->error,
		.fingerprint = r->fingerprint,
		.address = r->address,
		.by_ppp = r->by_ppp,
		.channels = r->nchans,
		.next_ms = r->state != RELAY_WAITING ? -1 : ms < 0 ? 0 : ms,
		.nlistens = r->nlistens,
	};
	for (size_t i = 0; i < r->nlistens; i++)
		v->listens[i] = (struct relay_view_listen){
			.asked = r->listens[i].asked,
			.bound = r->listens[i].bound,
			.tested = r->listens[i].tested,
			.tested_us = r->listens[i].tested_us,
		};
}

const struct relay_step_done *
relay_step(const struct relay *r, enum relay_step step)
{
	return &r->steps[step];
}
