#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "activation.h"
#include "sender.h"

#define SENDER_TEXT 64

/* Leaks one every so often. */
struct bucket {
	unsigned level;
	struct mono since;	/* the last one leaked */
};

struct activation {
	struct codes *codes;
	char **from;
	size_t nfrom;
	struct bucket *guesses;		/* of each number */
	bool totp;
	struct bucket told;
	uint64_t untold;		/* since the last one told */
	uint64_t counts[ACTIVATION_WHYS];
};

static const char *const whys[] = {
	[ACTIVATION_ACCEPTED] = "accepted",
	[ACTIVATION_STRANGER] = "the sender is not in the list",
	[ACTIVATION_NO_COMMAND] = "no command",
	[ACTIVATION_WRONG] = "wrong code",
	[ACTIVATION_USED] = "the code was used, or passed over, before",
	[ACTIVATION_FAR] = "somebody guesses codes: send the next one, too",
	[ACTIVATION_NO_CODES] = "there are no codes (oobctl code new)",
	[ACTIVATION_FAILED] = "the codes cannot be read or written",
	[ACTIVATION_OLD] = "it lay in the modem when oobd started",
	[ACTIVATION_STALE] = "it was sent more than a day ago",
};

const char *
activation_why_text(enum activation_why why)
{
	return whys[why];
}

static unsigned
level(const struct bucket *b, int64_t every_ms, struct mono now)
{
	int64_t leaked = mono_ms(b->since, now) / every_ms;

	if (leaked <= 0)
		return b->level;
	return leaked >= b->level ? 0 : b->level - (unsigned)leaked;
}

/* One more, unless it is full. */
static bool
pour(struct bucket *b, unsigned max, int64_t every_ms, struct mono now)
{
	unsigned was = level(b, every_ms, now);

	if (was == 0)
		b->since = now;
	else
		b->since = mono_after(b->since, (b->level - was) * every_ms);
	b->level = was;
	if (was >= max)
		return false;
	b->level++;
	return true;
}

static void
free_list(struct activation *a)
{
	for (size_t i = 0; i < a->nfrom; i++)
		free(a->from[i]);
	free(a->from);
	free(a->guesses);
}

void
activation_configure(struct activation *a, const struct activation_conf *conf)
{
	free_list(a);
	a->nfrom = conf->nfrom;
	a->from = xcalloc(conf->nfrom, sizeof(*a->from));
	a->guesses = xcalloc(conf->nfrom, sizeof(*a->guesses));
	for (size_t i = 0; i < conf->nfrom; i++)
		a->from[i] = xstrdup(conf->from[i]);
	a->totp = conf->totp;
}

struct activation *
activation_new(const struct activation_conf *conf, struct codes *codes)
{
	struct activation *a = xcalloc(1, sizeof(*a));

	a->codes = codes;
	activation_configure(a, conf);
	return a;
}

void
activation_free(struct activation *a)
{
	if (a == NULL)
		return;
	free_list(a);
	free(a);
}

static enum activation_why
why_of(enum codes_verdict v)
{
	switch (v) {
	case CODES_GOOD:
		return ACTIVATION_ACCEPTED;
	case CODES_WRONG:
		return ACTIVATION_WRONG;
	case CODES_USED:
		return ACTIVATION_USED;
	case CODES_FAR:
		return ACTIVATION_FAR;
	case CODES_NONE:
		return ACTIVATION_NO_CODES;
	case CODES_FAILED:
		return ACTIVATION_FAILED;
	}
	return ACTIVATION_FAILED;
}

static bool
is_stale(const struct activation_message *m, const struct activation_now *now)
{
	return now->trusted && m->smsc > 0 &&
	    now->utc - m->smsc > ACTIVATION_MAX_AGE;
}

/* The code of a command from number i of the list; spent when it is good. */
static enum activation_why
check_code(struct activation *a, size_t i, const char *code,
    const struct activation_message *m, const struct activation_now *now,
    struct codes_match *match)
{
	const struct codes_query q = {
		.code = code,
		.time = { now->trusted, now->utc, m->smsc },
		.totp = a->totp,
		.narrow = level(&a->guesses[i], ACTIVATION_GUESS_MS,
		    now->mono) >= ACTIVATION_GUESSES,
	};
	enum activation_why why = why_of(codes_take(a->codes, &q, match));

	if (why == ACTIVATION_WRONG)
		pour(&a->guesses[i], ACTIVATION_GUESSES, ACTIVATION_GUESS_MS,
		    now->mono);
	if (why != ACTIVATION_ACCEPTED)
		return why;
	if (m->old)
		return ACTIVATION_OLD;
	return is_stale(m, now) ? ACTIVATION_STALE : why;
}

static enum activation_why
judge(struct activation *a, const struct activation_message *m,
    const struct activation_now *now, struct command *c,
    struct codes_match *match)
{
	int i = sender_find((const char *const *)a->from, a->nfrom, m->toa,
	    m->sender);

	if (i == -1)
		return ACTIVATION_STRANGER;
	if (command_parse(m->text, m->len, c) == -1)
		return ACTIVATION_NO_COMMAND;
	return check_code(a, (size_t)i, c->code, m, now, match);
}

static void
tell_accepted(struct activation_verdict *v, const char *sender)
{
	char arg[16] = "";

	if (v->arg > 0)
		snprintf(arg, sizeof(arg), " %u", v->arg);
	v->kind = "sms-command";
	v->tell = true;
	snprintf(v->text, sizeof(v->text), "from=%s user=%s %s%s", sender,
	    v->who, command_name(v->verb), arg);
}

/* Whoever sends many messages must not fill the journal with them. */
static void
tell_refused(struct activation *a, struct activation_verdict *v,
    const char *sender, const struct codes_match *match, struct mono now)
{
	char more[64] = "";
	const char *untimed = v->why == ACTIVATION_WRONG && match->untimed ?
	    ", or a time-based one while no clock can be trusted" : "";

	v->kind = "sms-refused";
	v->tell = pour(&a->told, ACTIVATION_TELLS, ACTIVATION_TELL_MS, now);
	if (!v->tell) {
		a->untold++;
	} else if (a->untold > 0) {
		snprintf(more, sizeof(more), " (and %" PRIu64 " before it)",
		    a->untold);
		a->untold = 0;
	}
	snprintf(v->text, sizeof(v->text), "from=%s: %s%s%s", sender,
	    whys[v->why], untimed, more);
}

void
activation_decide(struct activation *a, const struct activation_message *m,
    const struct activation_now *now, struct activation_verdict *v)
{
	struct codes_match match = { .who = "" };
	char sender[SENDER_TEXT];
	struct command c = { .arg = 0 };

	memset(v, 0, sizeof(*v));
	str_safe(sender, sizeof(sender), m->sender, strlen(m->sender));
	v->why = judge(a, m, now, &c, &match);
	a->counts[v->why]++;
	if (v->why == ACTIVATION_ACCEPTED) {
		v->act = true;
		v->verb = c.verb;
		v->arg = c.arg;
		memcpy(v->who, match.who, sizeof(v->who));
		tell_accepted(v, sender);
	} else {
		tell_refused(a, v, sender, &match, now->mono);
	}
	explicit_bzero(&c, sizeof(c));
}

uint64_t
activation_count(const struct activation *a, enum activation_why why)
{
	return a->counts[why];
}

bool
activation_guessing(const struct activation *a, struct mono now)
{
	for (size_t i = 0; i < a->nfrom; i++) {
		if (level(&a->guesses[i], ACTIVATION_GUESS_MS, now) >=
		    ACTIVATION_GUESSES)
			return true;
	}
	return false;
}
