#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "addr.h"
#include "throttle.h"

#define TABLE_START 64

struct source {
	struct addr net;
	unsigned unauth;
	struct mono until;	/* penalties are served then */
	bool active;		/* turned away until then */
};

struct throttle {
	struct throttle_conf conf;
	struct source *sources;
	size_t nsources, size;
	unsigned unauth, unauth_other;	/* in all; without the exempt */
	unsigned unauth_relay;
	uint64_t admitted;
	uint64_t refused[THROTTLE_PENALTY + 1];
};

const struct throttle_conf throttle_defaults = {
	.total = 16, .per_source = 4, .sources = 4096, .failed_ms = 5000,
	.early_ms = 1000, .grace_ms = 10000, .max_ms = 600000,
	.enforce_ms = 15000,
};

struct throttle *
throttle_new(const struct throttle_conf *conf)
{
	struct throttle *t = xcalloc(1, sizeof(*t));

	throttle_configure(t, conf);
	return t;
}

void
throttle_free(struct throttle *t)
{
	if (t == NULL)
		return;
	free(t->sources);
	free(t);
}

void
throttle_configure(struct throttle *t, const struct throttle_conf *conf)
{
	t->conf = *conf;
	if (t->conf.total < 2)
		t->conf.total = 2;
	/* Connected sources are never forgotten: there is room for all. */
	if (t->conf.sources < t->conf.total)
		t->conf.sources = t->conf.total;
	if (t->conf.sources < t->size)
		t->conf.sources = t->size;
}

/* The network of an address that limits apply to; false: exempt. */
static bool
source_of(const char *address, struct addr *net)
{
	if (address == NULL || addr_parse(address, net) == -1 ||
	    addr_is_loopback(net))
		return false;
	addr_mask(net, net->v6 ? 64 : 32);
	return true;
}

static struct source *
find(const struct throttle *t, const struct addr *net)
{
	for (size_t i = 0; i < t->nsources; i++) {
		if (addr_equal(&t->sources[i].net, net))
			return &t->sources[i];
	}
	return NULL;
}

/* Drop what is neither connected nor penalised any more. */
static void
expire(struct throttle *t, struct mono now)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nsources; i++) {
		struct source *s = &t->sources[i];

		if (s->unauth > 0 || mono_us(now, s->until) > 0)
			t->sources[n++] = *s;
	}
	t->nsources = n;
}

/* The idle source whose penalty ends first; NULL when all are connected. */
static struct source *
soonest(struct throttle *t)
{
	struct source *best = NULL;

	for (size_t i = 0; i < t->nsources; i++) {
		struct source *s = &t->sources[i];

		if (s->unauth == 0 &&
		    (best == NULL || s->until.us < best->until.us))
			best = s;
	}
	return best;
}

/* Find or make; NULL when every place is taken by a connection. */
static struct source *
enter(struct throttle *t, const struct addr *net, struct mono now)
{
	struct source *s = find(t, net);

	if (s != NULL)
		return s;
	if (t->nsources == t->size)
		expire(t, now);
	if (t->nsources < t->conf.sources) {
		if (t->nsources == t->size) {
			t->size = t->size == 0 ? TABLE_START : t->size * 2;
			if (t->size > t->conf.sources)
				t->size = t->conf.sources;
			t->sources = xreallocarray(t->sources, t->size,
			    sizeof(*t->sources));
		}
		s = &t->sources[t->nsources++];
	} else {
		s = soonest(t);
	}
	if (s != NULL)
		*s = (struct source){ .net = *net, .until = now };
	return s;
}

static enum throttle_verdict
refuse(struct throttle *t, enum throttle_verdict v)
{
	t->refused[v]++;
	return v;
}

enum throttle_verdict
throttle_admit(struct throttle *t, const char *address, struct mono now)
{
	struct addr net;
	bool limited = source_of(address, &net);
	struct source *s;

	if (limited) {
		/* A penalty outranks the other reasons: it says most. */
		s = find(t, &net);
		if (s != NULL && s->active && mono_us(now, s->until) > 0)
			return refuse(t, THROTTLE_PENALTY);
		if (s != NULL && s->unauth >= t->conf.per_source)
			return refuse(t, THROTTLE_SOURCE_FULL);
		if (t->unauth_other >= t->conf.total - 1)
			return refuse(t, THROTTLE_FULL);
	}
	if (t->unauth >= t->conf.total || (address == NULL &&
	    t->unauth_relay >= t->conf.total - 1))
		return refuse(t, THROTTLE_FULL);
	if (address == NULL)
		t->unauth_relay++;
	if (limited) {
		s = enter(t, &net, now);
		if (s == NULL)
			return refuse(t, THROTTLE_FULL);
		s->unauth++;
		t->unauth_other++;
	}
	t->unauth++;
	t->admitted++;
	return THROTTLE_OK;
}

static int64_t
penalty_of(const struct throttle_conf *c, enum throttle_outcome o)
{
	switch (o) {
	case THROTTLE_AUTHENTICATED:
	case THROTTLE_EXCUSED:
		return 0;
	case THROTTLE_FAILED:
		return c->failed_ms;
	case THROTTLE_GRACE:
		return c->grace_ms;
	case THROTTLE_EARLY:
		return c->early_ms;
	}
	return 0;
}

static void
penalise(struct throttle *t, struct source *s, int64_t ms, struct mono now)
{
	struct mono most = mono_after(now, t->conf.max_ms);

	if (ms == 0)
		return;
	if (mono_us(now, s->until) <= 0) {
		s->until = now;
		s->active = false;
	}
	s->until = mono_after(s->until, ms);
	if (mono_us(most, s->until) > 0)
		s->until = most;
	if (mono_ms(now, s->until) > t->conf.enforce_ms)
		s->active = true;
}

void
throttle_done(struct throttle *t, const char *address,
    enum throttle_outcome outcome, struct mono now)
{
	struct addr net;
	struct source *s;

	if (t->unauth > 0)
		t->unauth--;
	if (address == NULL && t->unauth_relay > 0)
		t->unauth_relay--;
	if (!source_of(address, &net))
		return;
	s = find(t, &net);
	if (s == NULL || s->unauth == 0)
		return;
	s->unauth--;
	t->unauth_other--;
	penalise(t, s, penalty_of(&t->conf, outcome), now);
}

const char *
throttle_text(enum throttle_verdict v)
{
	switch (v) {
	case THROTTLE_OK:
		return "admitted";
	case THROTTLE_FULL:
		return "too many unauthenticated connections";
	case THROTTLE_SOURCE_FULL:
		return "too many unauthenticated connections from this source";
	case THROTTLE_PENALTY:
		return "too many failures from this source, it has to wait";
	}
	return "?";
}

void
throttle_count(const struct throttle *t, struct mono now,
    struct throttle_counts *c)
{
	memset(c, 0, sizeof(*c));
	c->unauth = t->unauth;
	c->sources = t->nsources;
	c->admitted = t->admitted;
	memcpy(c->refused, t->refused, sizeof(c->refused));
	for (size_t i = 0; i < t->nsources; i++) {
		if (t->sources[i].active &&
		    mono_us(now, t->sources[i].until) > 0)
			c->penalised++;
	}
}

/* Append whole or not at all. */
static bool append(char *, size_t, const char *, ...)
    __attribute__((format(printf, 3, 4)));

static bool
append(char *dst, size_t size, const char *fmt, ...)
{
	size_t at = strlen(dst);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst + at, size - at, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < size - at)
		return true;
	dst[at] = '\0';
	return false;
}

char *
throttle_status(const struct throttle *t, struct mono now, char *dst,
    size_t size)
{
	struct throttle_counts c;
	char text[ADDR_TEXT];

	if (size == 0)
		return dst;
	dst[0] = '\0';
	throttle_count(t, now, &c);
	append(dst, size, "unauthenticated %u of %u, penalised %zu, refused %"
	    PRIu64, c.unauth, t->conf.total, c.penalised,
	    c.refused[THROTTLE_FULL] + c.refused[THROTTLE_SOURCE_FULL] +
	    c.refused[THROTTLE_PENALTY]);
	for (size_t i = 0; i < t->nsources; i++) {
		const struct source *s = &t->sources[i];
		int64_t left = mono_ms(now, s->until);

		if (!s->active || left <= 0)
			continue;
		if (!append(dst, size, "; %s%s %" PRId64 "s",
		    addr_text(text, &s->net), s->net.v6 ? "/64" : "",
		    (left + 999) / 1000))
			break;
	}
	return dst;
}
